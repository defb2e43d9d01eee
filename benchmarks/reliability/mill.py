"""A small pipeline that is run and killed again and again: its input, its spec, its runs, and what they published."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.store import Store
from corpusmill.runner.family import below, is_alive

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run"]
PATIENCE = 180.0
"""Seconds that any awaited thing may take on a crowded machine."""
ORPHANS = 90.0
"""Seconds within which nothing of a killed run may be left; Ray's own agents need most of them."""
WORDS = [
    "river",
    "stone",
    "paper",
    "light",
    "wind",
    "bread",
    "winter",
    "garden",
    "letter",
    "morning",
    "copper",
    "glass",
]

TEXT: list[dict[str, Any]] = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 16000}},
    {"id": "long", "uses": "filter.length", "with": {"min_words": 4}},
    {"id": "exact", "uses": "dedup.exact"},
    {"id": "near", "uses": "dedup.minhash", "with": {"threshold": 0.8}},
    {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
    {"id": "export", "uses": "write.parquet", "needs": "split", "with": {"path": "out/export"}},
    {"id": "vocabulary", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 300}},
]
"""From text to a tokenizer, without torch."""
MODEL: list[dict[str, Any]] = [
    *TEXT,
    {
        "id": "tokens",
        "uses": "tokens.pack",
        "needs": {"documents": "split", "tokenizer": "vocabulary"},
        "with": {"window": 16},
    },
    {
        "id": "model",
        "uses": "train.causal-lm",
        "needs": "tokens",
        "with": {
            "model": {"type": "llama", "layers": 1, "hidden": 16, "heads": 2},
            "steps": 60,
            "batch_tokens": 64,
            "checkpoint_every": 5,
        },
    },
    {
        "id": "score",
        "uses": "evaluate.perplexity",
        "needs": {"model": "model", "tokens": ["tokens.train", "tokens.test"]},
    },
]
"""And on to a model and its score."""


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll until the condition is true and return it; raises TimeoutError."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise TimeoutError(f"waited {patience:g} s in vain for {what}")


@dataclass
class Trial:
    """One store with the exports beside it, and the witness of the run at hand.

    `killed`: every process of killed runs, with its start, so that none is mistaken for a later one.
    """

    folder: Path
    witness: Path
    killed: dict[int, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """The store."""
        return self.folder / "store"

    def published(self) -> dict[str, str]:
        """Return name -> hash of all that is published: files, records by key, manifests, and the export."""
        found = {}
        for path in sorted(self.folder.glob("out/*/**/*")):
            if path.is_file():
                found[str(path.relative_to(self.folder))] = hash_bytes(path.read_bytes())
        store = Store(str(self.store))
        for kind in ("datasets/", "files/", "artifacts/"):
            found |= {name: hash_bytes(store.storage.read(name)) for name in store.storage.list(kind)}
        return found | {f"record {key}": hash_bytes(data) for key, data in self.records().items()}

    def records(self) -> dict[str, bytes]:
        """Return the commit records by key; raises ValueError for one that is torn."""
        found = {}
        for name, key, data in Store(str(self.store)).commits.every() if self.store.is_dir() else ():
            if data is None:
                raise ValueError(f"a torn record: {name}")
            found[key] = data
        return found

    def count(self, phase: str = "any") -> int:
        """Return how many file operations of a phase the run at hand has done, in all of its processes."""
        with contextlib.suppress(FileNotFoundError):
            return (self.witness / f"count-{phase}").stat().st_size
        return 0

    def counts(self) -> Counter[str]:
        """Return the same for each phase."""
        names = [path.name.partition("-")[2] for path in self.witness.glob("count-*")]
        return Counter({name: self.count(name) for name in names if name != "any"})

    def units(self, what: str = "begin") -> list[dict[str, Any]]:
        """Return which units of work began (or ended), in order."""
        try:
            lines = (self.witness / "units.jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [one for line in lines if (one := json.loads(line))["what"] == what]

    def workers(self) -> list[int]:
        """Return the living processes that ran units, the latest first."""
        pids = dict.fromkeys(one["pid"] for one in reversed(self.units()))
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


class Mill:
    """A folder with input and spec; each trial has a store of its own under `trials/`."""

    def __init__(self, root: Path, steps: Sequence[Mapping[str, Any]] = MODEL, files: int = 6, rows: int = 40):
        self.root = root.resolve()
        (self.root / "data").mkdir(parents=True)
        (self.root / "trials").mkdir()
        shutil.copy(HERE / "witness.py", self.root / "witness.py")
        for file in range(files):
            lines = [json.dumps({"text": document(file, row)}) for row in range(rows)]
            (self.root / f"data/{file:04}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.spec = self.root / "mill.yaml"
        content = {"corpusmill": 1, "name": "mill", "plugins": ["./witness.py"], "steps": list(steps)}
        self.spec.write_text(json.dumps({**content, "limits": {"deadline": None}}), encoding="utf-8")
        self._trials = 0

    @property
    def environment(self) -> dict[str, str]:
        """What processes of runs, or of the cluster that they join, need in their environment."""
        witness = {"WITNESS": str(self.root / "witness"), "WITNESS_ROOTS": f"{self.root}/trials/"}
        # Ray on this machine alone takes loopback for its address, and does not ask the network for another.
        return {**os.environ, **witness, "NO_COLOR": "1", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

    def trial(self, like: Trial | None = None) -> Trial:
        """Return a new store, empty or a copy of another."""
        self._trials += 1
        folder = self.root / "trials" / f"{self._trials:04}"
        if like is None:
            folder.mkdir()
        else:
            shutil.copytree(like.folder, folder)
        return Trial(folder, self.root)

    def watch(self, trial: Trial, stops: Sequence[tuple[str, int]] = ()) -> None:
        """Let the next run of a trial be watched by a witness of its own, which stops it at these places."""
        number = len(list(self.root.glob("witness-*")))
        trial.witness = self.root / f"witness-{number:04}"
        trial.witness.mkdir()
        (trial.witness / "stops.json").write_text(json.dumps(list(stops)))
        beside = self.root / ".witness"
        beside.symlink_to(trial.witness.name)
        beside.replace(self.root / "witness")

    def start(
        self, trial: Trial, *arguments: str, stops: Sequence[tuple[str, int]] = (), executor: str = "inline"
    ) -> subprocess.Popen[str]:
        """Start the command in a session of its own."""
        self.watch(trial, stops)
        command = [*COMMAND, str(self.spec), "--store", str(trial.store), "--executor", executor, "--quiet", *arguments]
        with (trial.witness / "said.txt").open("w") as said:
            return subprocess.Popen(
                command,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=trial.folder,
                env=self.environment,
                start_new_session=True,
            )

    def finish(self, trial: Trial, *arguments: str, executor: str = "inline") -> None:
        """Run to the end; raises RuntimeError with what the command said."""
        process = self.start(trial, *arguments, executor=executor)
        self.wait(trial, process)

    def wait(self, trial: Trial, process: subprocess.Popen[str]) -> None:
        """Wait until a run that is not killed has ended well; raises RuntimeError with what it said."""
        if process.wait(2 * PATIENCE):
            said = (trial.witness / "said.txt").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the run ended with {process.returncode}: {said}")


def document(file: int, row: int) -> str:
    """Return the text of a document: some are short, some repeat another word by word, some nearly."""
    if row % 20 == 7:
        return "Too short."
    number = row - 1 if row % 10 == 3 else row
    words = [WORDS[(file * 31 + number * 7 + place * (number + 3)) % len(WORDS)] for place in range(24)]
    return f"Text {number} of {file} tells of {' '.join(words)}" + (" again." if row % 10 == 5 else ".")


def met(trial: Trial, process: subprocess.Popen[str], phase: str, number: int) -> dict[str, Any] | None:
    """Wait until the run stops at a place and return where it is; None when it ended without coming there."""
    path = trial.witness / f"met-{phase}-{number}"
    wait_for(lambda: path.exists() or process.poll() is not None, f"operation {number} of {phase}")
    return json.loads(path.read_text()) if path.exists() else None


def go_on(trial: Trial, phase: str, number: int) -> None:
    """Let the process that waits at a place go on, if it lives."""
    (trial.witness / f"go-{phase}-{number}").touch()


def kill_driver(trial: Trial, process: subprocess.Popen[str]) -> None:
    """SIGKILL the driver; what it has started is noted, to be looked for afterwards."""
    trial.killed |= below([process.pid]) | below(trial.workers())
    process.kill()
    process.wait(PATIENCE)


def kill(pid: int) -> bool:
    """SIGKILL a process; False when it was gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def orphans(trial: Trial) -> list[int]:
    """Return the processes of killed runs that live."""
    return [pid for pid, start in trial.killed.items() if is_alive(pid, start)]


def until_alone(trial: Trial) -> float:
    """Wait until nothing of the killed runs lives; return the seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    wait_for(lambda: not orphans(trial), f"the end of {orphans(trial)}", ORPHANS)
    return time.monotonic() - began


@contextlib.contextmanager
def new_mill(steps: Sequence[Mapping[str, Any]] = MODEL, **sizes: int) -> Iterator[Mill]:
    """Make a mill in a temporary folder."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="mill-"))
    try:
        yield Mill(folder / "mill", steps, **sizes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
