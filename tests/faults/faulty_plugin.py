"""Operators that misbehave on documents with POISON in them; tests copy this file beside a spec."""

import collections
import ctypes
import hashlib
import itertools
import locale
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from corpusmill import (
    Annotator,
    Augmented,
    Augmenter,
    Cleaner,
    Deduplicator,
    Documents,
    Filter,
    Loader,
    Model,
    Reader,
    Sketch,
    Splitter,
    Writer,
    at_most,
    hookimpl,
    option,
)

POISON = "POISON"


class Panic(BaseException):
    """What extensions in Rust raise: no Exception."""


def hang():
    while True:
        pass


def spell():
    print("printed by a plugin")  # noqa: T201 - that is the fault
    os.write(1, b"written by a plugin\n")
    sys.stdout.flush()


def bewitch():
    os.chdir("/")
    os.umask(0o077)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - that is the fault
    locale.setlocale(locale.LC_ALL, "C")
    os.environ["HOME"] = "/nowhere"
    os.environ.pop("PATH", None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(1)
    sys.setrecursionlimit(5000)
    np.seterr(all="raise")
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(1)


def hog():
    """Take all memory there is, which here is 1.5 GB; whoever watches this process ends it, as the kernel would."""
    held = []
    while len(held) < 48:
        held.append(b"x" * (32 << 20))
    sleep()


def sleep():
    while True:
        time.sleep(60)


LEAKED = []


ACTIONS = {
    "none": lambda: None,
    "raise": lambda: (_ for _ in ()).throw(ValueError("poison found")),
    "segfault": lambda: ctypes.string_at(0),
    "exit0": lambda: os._exit(0),
    "exit1": lambda: os._exit(1),
    "exit7": lambda: os._exit(7),
    "sysexit": lambda: sys.exit(3),
    "panic": lambda: (_ for _ in ()).throw(Panic("rust")),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": hang,
    "hang-in-c": lambda: collections.deque(itertools.repeat(0), maxlen=0),
    "regex": lambda: re.match(r"(a+)+$", "a" * 64 + "b"),
    "sleep": sleep,
    "hog": hog,
    "print": spell,
    "bewitch": bewitch,
}


def tell(folder, what):
    """Leave a mark that a test waits for: a file that appears at once with its content."""
    beside = Path(folder) / f".{what}.{os.getpid()}"
    beside.write_text(str(os.getpid()))
    os.replace(beside, Path(folder) / what)


class Faulty(Filter):
    """Do something to documents with POISON; wait on request."""

    class Options(Filter.Options):
        action: str = option("none", help="what to do", affects_result=False)
        most: int = option(100000, help="most characters")
        raises: str = option("", help="a word to raise on", affects_result=False)
        leak: int = option(0, help="bytes that stay behind after each batch", affects_result=False)
        signals: str = option("", help="folder of marks; `go` in it ends the wait on WAIT", affects_result=False)

    def measure(self, batch):
        texts = batch.column(self.column).to_pylist()
        if self.options.leak:
            LEAKED.append(b"x" * self.options.leak)
        if self.options.raises and any(self.options.raises in text for text in texts):
            raise ValueError("a word to raise on")
        for text in texts:
            if POISON in (text or ""):
                ACTIONS[self.options.action]()
        if self.options.signals:
            tell(self.options.signals, f"worker-{os.getpid()}")
            while not (Path(self.options.signals) / "go").exists():
                time.sleep(0.01)
        return {"characters": np.array([len(text or "") for text in texts], float)}

    def rules(self):
        return [at_most("characters", self.options.most)]


class Upper(Cleaner):
    """Shout; break the contract of a cleaner on request."""

    class Options(Cleaner.Options):
        breach: str = option("", help="which clause to break")

    def clean(self, batch):
        index = batch.schema.get_field_index(self.column)
        texts = [(text or "").upper() for text in batch.column(self.column).to_pylist()]
        breach = self.options.breach
        if breach == "nothing":
            return None
        if breach == "rows":
            return batch.slice(0, batch.num_rows - 1)
        if breach == "type":
            return batch.set_column(index, self.column, pa.array([len(text) for text in texts]))
        if breach == "column":
            return batch.append_column("extra", pa.array(texts))
        if breach == "order":
            return batch.take(pa.array(range(batch.num_rows - 1, -1, -1)))
        return batch.set_column(index, self.column, pa.array(texts, pa.large_string()))


class Number(Annotator):
    """Add a number; break the contract of an annotator on request."""

    class Options(Annotator.Options):
        breach: str = option("", help="which clause to break")

    def adds(self):
        return {"number": pa.int64()}

    def annotate(self, batch):
        numbers = pa.array(range(batch.num_rows), pa.int64())
        breach = self.options.breach
        if breach == "nothing":
            return None
        if breach == "rows":
            return {"number": numbers.slice(0, 0)}
        if breach == "type":
            return {"number": pa.array(["x"] * batch.num_rows)}
        if breach == "column":
            return {"number": numbers, "extra": numbers}
        return {"number": pa.array([len(text) for text in batch.column("text").to_pylist()], pa.int64())}


class Measure(Filter):
    """Break the contract of a filter."""

    class Options(Filter.Options):
        breach: str = option("", help="which clause to break")

    def measure(self, batch):
        breach = self.options.breach
        if breach == "nothing":
            return None
        if breach == "rows":
            return {"signal": np.zeros(1 if batch.num_rows > 1 else 2)}
        if breach == "signal":
            return {"other": np.zeros(batch.num_rows)}
        return {"signal": np.zeros(batch.num_rows)}

    def rules(self):
        return [at_most("signal", 1)]


class Halves(Splitter):
    """Break the contract of a splitter."""

    class Options(Splitter.Options):
        breach: str = option("", help="which clause to break")

    def labels(self):
        return ("one", "other")

    def split(self, batch):
        if self.options.breach == "nothing":
            return None
        if self.options.breach == "label":
            return np.full(batch.num_rows, 2)
        return np.zeros(batch.num_rows - 1, int)


class Twice(Augmenter):
    """Break the contract of an augmenter."""

    class Options(Augmenter.Options):
        breach: str = option("", help="which clause to break")

    def augment(self, batch):
        rows = np.arange(batch.num_rows)
        if self.options.breach == "nothing":
            return None
        if self.options.breach == "parent":
            return Augmented(batch, rows + 1, [None] * len(rows))
        if self.options.breach == "order":
            return Augmented(batch, rows[::-1], [None] * len(rows))
        return Augmented(batch, rows[1:], [None] * len(rows))


class Witness(Annotator):
    """Say what it finds changed of the process since it was set up."""

    def adds(self):
        return {"seen": pa.large_string()}

    def setup(self):
        self.before = surroundings()

    def annotate(self, batch):
        now = surroundings()
        changed = [name for name in now if now[name] != self.before[name]]
        return {"seen": pa.array([" ".join(changed)] * batch.num_rows, pa.large_string())}


def surroundings():
    mask = os.umask(0)
    os.umask(mask)
    torch = sys.modules.get("torch")
    return {
        "folder": str(Path.cwd()),
        "umask": mask,
        "locale": locale.setlocale(locale.LC_ALL),
        "environment": {name: os.environ.get(name) for name in ("HOME", "PATH")},
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "recursion": sys.getrecursionlimit(),
        "errors": np.geterr(),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002 - looked at
        "torch": torch.get_rng_state().tolist() if torch else None,
    }


class Same(Deduplicator):
    """Find equal texts; do something to documents with POISON."""

    class Options(Deduplicator.Options):
        action: str = option("none", help="what to do", affects_result=False)

    def sketch(self, batch):
        texts = batch.column(self.column).to_pylist()
        if any(POISON in text for text in texts):
            ACTIONS[self.options.action]()
        keys = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]) for text in texts]
        halves = [[key >> 64, key & (2**64 - 1)] for key in keys]
        return Sketch(np.array(halves, np.uint64).reshape(-1, 2), np.arange(len(texts)))


class Alike(Same):
    """Hold all documents against each other; do something while two are compared."""

    verifies = True

    class Options(Same.Options):
        compare: str = option("none", help="what to do with a pair", affects_result=False)

    def sketch(self, batch):
        super().sketch(batch)
        lengths = np.array([[len(text)] for text in batch.column(self.column).to_pylist()], np.uint32)
        rows = np.arange(len(lengths))
        return Sketch(np.zeros(len(rows), np.uint64), rows, lengths.reshape(-1, 1))

    def rank(self, batch):
        return -np.array([len(text) for text in batch.column(self.column).to_pylist()], float)

    def similarity(self, left, right):
        ACTIONS[self.options.compare]()
        return (left == right).all(axis=1).astype(float)


class Rough(Alike):
    """A floating-point model in small: what is compared depends on the number of rows in the batch."""

    exact = False

    def sketch(self, batch):
        made = super().sketch(batch)
        return Sketch(made.keys, made.rows, made.evidence + batch.num_rows / 1000)


class Tails(Same):
    """Cut what follows the first "and", where it was there before."""

    unit = "segment"

    class Options(Same.Options):
        measure: str = option("none", help="what to do with a document that lost something", affects_result=False)

    def measure_cut(self, before, after):
        if any("SHORN" in text for text in before.column(self.column).to_pylist()):
            ACTIONS[self.options.measure]()
        return {"left": [len(text) for text in after.column(self.column).to_pylist()]}

    def sketch(self, batch):
        keys = super().sketch(batch.set_column(batch.schema.get_field_index("text"), "text", self.tails(batch))).keys
        texts = batch.column(self.column).to_pylist()
        spans = [[text.index(" and"), len(text.encode())] for text in texts]
        return Sketch(keys, np.arange(len(texts)), spans=np.array(spans, np.int64).reshape(-1, 2))

    def tails(self, batch):
        """The tails, with the poison in front: what `Same` looks at."""
        texts = batch.column(self.column).to_pylist()
        tails = [POISON * (POISON in text) + text[text.index(" and") :] for text in texts]
        return pa.array(tails, pa.large_string())


class Out(Writer):
    """Write nothing; do something instead."""

    suffix = ".txt"

    class Options(Writer.Options):
        path: str = option(help="the folder")
        action: str = option("none", help="what to do", affects_result=False)

    def encode(self, schema, batches, sink):
        for _ in batches:
            ACTIONS[self.options.action]()


class Lines(Reader):
    """Read lines; do something to those with POISON."""

    class Options(Reader.Options):
        action: str = option("none", help="what to do", affects_result=False)

    def read(self, part, reject):
        with part.file.open() as file:
            lines = file.read().decode().splitlines(keepends=True)
        if any(POISON in line for line in lines):
            ACTIONS[self.options.action]()
        places = np.cumsum([0, *(len(line.encode()) for line in lines)])[:-1]
        yield pa.record_batch({"text": pa.array(lines, pa.large_string()), "offset": pa.array(places, pa.int64())})


class Inexact(Annotator):
    """A floating-point model in small: each score depends on the number of rows in the batch."""

    exact = False

    class Options(Annotator.Options):
        action: str = option("none", help="what to do", affects_result=False)

    def adds(self):
        return {"score": pa.float64()}

    def annotate(self, batch):
        texts = batch.column("text").to_pylist()
        if any(POISON in text for text in texts):
            ACTIONS[self.options.action]()
        return {"score": pa.array([len(text) + batch.num_rows / 1000 for text in texts], pa.float64())}


class LoadTiny(Loader):
    """A model of one file."""

    output = "model"

    class Options(Loader.Options):
        text: str = option("tiny", help="what the model holds")

    def sources(self):
        return ()

    def run(self, inputs, work):
        (work.output / "model.txt").write_text(self.options.text)
        return {}


class Score(Annotator):
    """A step with a model: it lives in a pool of actors on Ray."""

    exact = False
    inputs: ClassVar = {"documents": Documents, "model": Model}

    class Options(Annotator.Options):
        action: str = option("none", help="what to do", affects_result=False)
        signals: str = option("", help="folder of marks; `go` in it ends the wait", affects_result=False)
        leak: int = option(0, help="bytes that stay behind after each batch", affects_result=False)
        loads: str = option("", help="folder of marks, one for each process that loads it", affects_result=False)
        file: str = option("model.txt", help="file of the model", affects_result=False)

    def adds(self):
        return {"score": pa.int64()}

    def setup(self):
        if self.options.loads:
            tell(self.options.loads, f"load-{os.getpid()}")
        self.size = len((self.context.inputs["model"].path / self.options.file).read_text())

    def annotate(self, batch):
        texts = batch.column("text").to_pylist()
        if self.options.leak:
            LEAKED.append(b"x" * self.options.leak)
        if any(POISON in text for text in texts):
            ACTIONS[self.options.action]()
        if self.options.signals:
            tell(self.options.signals, f"worker-{os.getpid()}")
            while not (Path(self.options.signals) / "go").exists():
                time.sleep(0.01)
        return {"score": pa.array([len(text) * self.size for text in texts], pa.int64())}


@hookimpl
def corpusmill_register(registry):
    registry.filter("faulty", ":Faulty", "Misbehave.")
    registry.cleaner("upper", ":Upper", "Shout.")
    registry.annotator("count", ":Number", "Count.")
    registry.filter("measure", ":Measure", "Measure.")
    registry.loader("tiny", ":LoadTiny", "Load.")
    registry.annotator("score", ":Score", "Score.")
    registry.splitter("halves", ":Halves", "Split.")
    registry.augmenter("twice", ":Twice", "Double.")
    registry.annotator("witness", ":Witness", "Look around.")
    registry.dedup("same", ":Same", "Find copies.")
    registry.dedup("alike", ":Alike", "Compare all.")
    registry.dedup("rough", ":Rough", "Compare all.")
    registry.dedup("tails", ":Tails", "Cut tails.")
    registry.writer("out", ":Out", "Write.")
    registry.reader("lines", ":Lines", "Read lines.")
    registry.annotator("inexact", ":Inexact", "Score.")
