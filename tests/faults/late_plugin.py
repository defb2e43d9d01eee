"""Operators that misbehave in calls about many documents, or two; `late.py` beside a spec has the actions in front."""

from faulty_plugin import (
    ACTIONS,
    POISON,
    Deduplicator,
    Path,
    Sketch,
    Writer,
    hookimpl,
    itertools,
    np,
    option,
    os,
    tell,
    time,
)

# Here begins what is put behind the actions of `faulty_plugin.py`.


class Plain(Writer):
    """Write texts line by line; do something at those with POISON, wait on request."""

    suffix = ".txt"

    class Options(Writer.Options):
        path: str = option(help="the folder")
        file_bytes: int = option(1, help="bytes after which a new file starts")
        action: str = option("none", help="what to do", affects_result=False)
        spared: str = option("", help="a word that protects from it", affects_result=False)
        raises: str = option("", help="a word to raise on", affects_result=False)
        late: bool = option(False, help="gather all texts before one is looked at", affects_result=False)
        most: int = option(100000, help="documents that a file may hold", affects_result=False)
        signals: str = option("", help="folder of marks; `go` in it ends the wait", affects_result=False)
        replace: bool = option(False, help="replace a folder", affects_result=False)

    def file_bytes(self):
        return self.options.file_bytes

    def encode(self, schema, batches, sink):
        texts = (text for batch in batches for text in batch.column("text").to_pylist())
        for row, text in enumerate(list(texts) if self.options.late else texts):
            if self.options.raises and self.options.raises in text:
                raise ValueError("a word to raise on")
            if POISON in text and not (self.options.spared and self.options.spared in text):
                ACTIONS[self.options.action]()
            if self.options.signals:
                tell(self.options.signals, f"worker-{os.getpid()}")
                while not (Path(self.options.signals) / "go").exists():
                    time.sleep(0.01)
            if row >= self.options.most:
                raise ValueError("too many documents for this writer")
            sink.write(text.encode() + b"\n")

    def card(self, facts):
        return {"ABOUT.txt": "\n".join([*facts["columns"], *facts["splits"], str(facts["files"][0]["rows"])]).encode()}


class Deaf(Plain):
    """Die before the first document."""

    def encode(self, schema, batches, sink):
        os._exit(1)


class Spent(Plain):
    """Do something once all documents are read, whatever they are."""

    def encode(self, schema, batches, sink):
        super().encode(schema, batches, sink)
        ACTIONS[self.options.action]()


class Hasty(Plain):
    """Write the first batch only."""

    def encode(self, schema, batches, sink):
        super().encode(schema, itertools.islice(batches, 1), sink)


class Forgiving(Plain):
    """Go on when the disk does not take a text."""

    def encode(self, schema, batches, sink):
        for batch in batches:
            try:
                sink.write("".join(batch.column("text").to_pylist()).encode())
                sink.flush()
            except OSError:
                continue


class Wary(Deduplicator):
    """Hold documents against each other by length; do something at one with POISON, and where two marked meet."""

    verifies = True

    class Options(Deduplicator.Options):
        compare: str = option("none", help="what to do with a pair", affects_result=False)
        raises: bool = option(False, help="raise on a pair with LEFT", affects_result=False)
        signals: str = option("", help="folder of marks; `go` in it ends the wait", affects_result=False)

    def sketch(self, batch):
        texts = batch.column(self.column).to_pylist()
        marks = [
            sum(number for number, word in enumerate(("", POISON, "LEFT", "RIGHT")) if word in text) for text in texts
        ]
        lengths = np.array([len(text) for text in texts], np.uint64)
        rows = np.arange(len(texts))
        return Sketch((lengths % 2) << np.uint64(40), rows, np.stack([lengths, np.array(marks, np.uint64)], axis=1))

    def similarity(self, left, right):
        marks = np.sort(np.stack([left[:, 1], right[:, 1]]), axis=0)
        if self.options.raises and (marks == 2).any():
            raise ValueError("a word to raise on")
        if (marks == 1).any() or (marks == [[2], [3]]).all(axis=0).any():
            ACTIONS[self.options.compare]()
        if self.options.signals:
            tell(self.options.signals, f"worker-{os.getpid()}")
            while not (Path(self.options.signals) / "go").exists():
                time.sleep(0.01)
        return (left[:, 0] == right[:, 0]).astype(float)


class Short(Wary):
    """Answer for one pair only."""

    def similarity(self, left, right):
        return np.ones(1)


@hookimpl
def corpusmill_register(registry):
    registry.writer("plain", ":Plain", "Write.")
    registry.writer("deaf", ":Deaf", "Write.")
    registry.writer("spent", ":Spent", "Write, then fail.")
    registry.writer("hasty", ":Hasty", "Write some.")
    registry.writer("forgiving", ":Forgiving", "Write what can be.")
    registry.dedup("wary", ":Wary", "Compare some.")
    registry.dedup("short", ":Short", "Compare few.")
