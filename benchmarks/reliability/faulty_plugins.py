"""Faulty plugins, each fault once on each executor: what was excluded or stopped, and whether neighbours are whole."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = REPOSITORY / "tests" / "faults" / "faulty_plugin.py"
POISON = ((0, 3), (0, 4), (2, 17))
"""File and row of the documents that the plugins fail on: two in one batch, one in another shard."""
FILES, ROWS = 3, 40
KILLED_AT = 700 << 20
"""Bytes at which the watcher does what the kernel does to a process that takes all memory."""


@dataclass(frozen=True)
class Case:
    """A fault: the step that has it, and what must come of it.

    `reason`: of each excluded document; empty: none is excluded. `error`: what the run must stop with instead.
    """

    fault: str
    step: dict[str, Any]
    reason: str = ""
    error: str = ""
    everywhere: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    watched: bool = False


def acts(action: str, **options: Any) -> dict[str, Any]:
    """The filter that does something to the marked documents."""
    return {"id": "judge", "uses": "filter.faulty", "with": {"action": action, **options}}


def breaks(uses: str, breach: str) -> dict[str, Any]:
    """An operator that breaks its contract."""
    return {"id": "judge", "uses": uses, "with": {"breach": breach}}


def sketches(action: str) -> dict[str, Any]:
    """The deduplicator that does something while it sketches the marked documents."""
    return {"id": "judge", "uses": "dedup.same", "with": {"action": action}}


SOON = {"deadline": 1}
CASES = (
    Case("raises an exception on a document", acts("raise"), "raised ValueError"),
    Case("calls sys.exit on a document", acts("sysexit"), "raised SystemExit"),
    Case("panics (a BaseException, as Rust extensions raise)", acts("panic"), "raised Panic"),
    Case("raises on every document", acts("raise"), error="failed on", everywhere=True),
    Case("hangs in a Python loop", acts("hang"), "passed its deadline", limits=SOON),
    Case("hangs in a C loop that holds the interpreter", acts("hang-in-c"), "passed its deadline", limits=SOON),
    Case("hangs in a catastrophic regex", acts("regex"), "passed its deadline", limits=SOON),
    Case("sleeps for ever", acts("sleep"), "passed its deadline", limits=SOON),
    Case("segfaults on a document", acts("segfault"), "crashed (signal 11)"),
    Case("calls os._exit(0) on a document", acts("exit0"), "exited with code 0"),
    Case("calls os._exit(7) on a document", acts("exit7"), "exited with code 7"),
    Case("exits on every document", acts("exit7"), error="documents in a row", everywhere=True),
    Case("sends SIGKILL to itself on a document", acts("kill"), "crashed (signal 9)"),
    Case(
        "takes all memory for a document",
        acts("hog"),
        "ran out of memory",
        run={"worker_memory": "200 MB"},
        watched=True,
    ),
    Case("a deduplicator: raises on a document", sketches("raise"), "raised ValueError"),
    Case("a deduplicator: segfaults on a document", sketches("segfault"), "crashed (signal 11)"),
    Case("a deduplicator: hangs in a C loop", sketches("hang-in-c"), "passed its deadline", limits=SOON),
    Case("leaks 80 MB a batch", acts("none", leak=80 << 20), run={"worker_memory": "300 MB"}),
    Case("prints and writes to stdout", acts("print")),
    Case("changes folder, umask, locale, variables, signals, seeds, limits", acts("bewitch")),
    Case("returns too few rows", breaks("clean.upper", "rows"), error="39 rows for a batch of 40"),
    Case("returns its rows in another order", breaks("clean.upper", "order"), error="order of its rows"),
    Case("returns a column of another type", breaks("annotate.count", "type"), error="of type string"),
    Case("returns a column it did not declare", breaks("clean.upper", "column"), error="column 'extra'"),
    Case("returns no number for a signal", breaks("filter.measure", "signal"), error="did not return"),
    Case("returns nothing", breaks("filter.measure", "nothing"), error="returned NoneType"),
)


def measure() -> dict[str, Any]:
    """Run every case inline and on a local Ray cluster of two workers; one row each."""
    from corpusmill.runner import ray_executor

    ray_executor.connect(None, 2)
    import ray

    rows, failed = [], []
    try:
        for case in CASES:
            for executor in ("inline", "ray"):
                row, wrong = _tried(case, executor)
                rows.append(row)
                failed += [f"{case.fault} ({executor}): {wrong}"] if wrong else []
    finally:
        ray.shutdown()
    excluded = sum(row[3] for row in rows)
    notes = [
        (
            f"{len(CASES)} faults, each on both executors, in a corpus of {FILES * ROWS} documents of which "
            f"{len(POISON)} (or all) trigger the fault: {excluded} documents excluded in all, "
            f"{sum(row[4] == 'yes' for row in rows)} runs with every neighbour the same byte for byte, "
            f"{sum(row[4] == 'nothing published' for row in rows)} stopped with an error and nothing published."
        ),
        (
            "A neighbour is the same when each row of the published dataset equals that of a run in which no document "
            "triggers the fault, and none but the triggering documents is missing."
        ),
    ]
    columns = ["fault", "executor", "outcome", "excluded", "neighbours the same"]
    return {"title": "Faulty plugins", "columns": columns, "rows": rows, "notes": notes, "failed": failed}


def _tried(case: Case, executor: str) -> tuple[list[Any], str]:
    """Run a case; return its row, and what of it is not as it must be."""
    from corpusmill.errors import CorpusmillError

    with tempfile.TemporaryDirectory(prefix="corpusmill-faulty-") as folder:
        corpus = _Corpus(Path(folder), everywhere=case.everywhere)
        calm = corpus.run({**case.step, "with": {}}, case, "calm", "inline") if not case.error else {}
        try:
            with _watching(case.watched), _silent():
                made = corpus.run(case.step, case, "store", executor)
        except CorpusmillError as error:
            told = str(error).splitlines()[0]
            published = list(Path(folder, "store").glob("datasets/*"))
            good = bool(case.error) and case.error in told and not published
            return [case.fault, executor, f"the run stops: {told}", 0, "nothing published"], "" if good else told
        bad = corpus.quarantine(made)
        reasons = sorted({row["reason"] for row in bad})
        same = corpus.rows(made, "store") == [
            row for row in corpus.rows(calm, "calm") if row["id"] not in {one["id"] for one in bad}
        ]
        right = reasons == ([case.reason] if case.reason else []) and not case.error
        right &= len(bad) == (len(POISON) if case.reason else 0) and all("POISON" in str(row["raw"]) for row in bad)
        outcome = f"excluded: {', '.join(reasons)}" if bad else "goes on"
        row = [case.fault, executor, outcome, len(bad), "yes" if same else "no"]
        return row, "" if same and right else f"{outcome}, {len(bad)} documents, neighbours the same: {same}"


class _Corpus:
    """Documents, some of which trigger a fault, with the faulty plugin beside them."""

    def __init__(self, root: Path, *, everywhere: bool):
        self.root = root
        (root / "faulty.py").write_bytes(PLUGIN.read_bytes())
        (root / "data").mkdir()
        for file in range(FILES):
            lines = []
            for row in range(ROWS):
                mark = "POISON" if everywhere or (file, row) in POISON else "calm  "
                text = f"document {row} of file {file} is {mark} " + "and goes on " * (5 + (row * 7 + file) % 9)
                lines.append(json.dumps({"text": text}))
            (root / f"data/{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, step: dict[str, Any], case: Case, store: str, executor: str) -> dict[str, Any]:
        """Run a reader and the step; each file is a shard."""
        from corpusmill.plan.check import check
        from corpusmill.runner.driver import RunOptions, run_spec

        reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 16000}}
        content = {"corpusmill": 1, "name": "faulty", "plugins": ["./faulty.py"], "steps": [reader, step]}
        content |= {"limits": {"max_bad_fraction": 1.0, "deadline": 20, **case.limits}, "run": case.run}
        path = self.root / f"{store}.yaml"
        path.write_text(json.dumps(content), encoding="utf-8")
        options = RunOptions(store=str(self.root / store), executor=executor, fork=False)
        return run_spec(check(str(path)), options).outputs

    def rows(self, outputs: dict[str, Any], store: str) -> list[dict[str, Any]]:
        """Return the rows of what the step published."""
        import pyarrow as pa

        from corpusmill.dataset.manifest import Dataset
        from corpusmill.dataset.store import Store

        dataset = Dataset.open(Store(str(self.root / store)), outputs["outputs"]["judge"]["digest"])
        return pa.Table.from_batches(list(dataset.batches()), schema=dataset.schema).to_pylist()

    def quarantine(self, outputs: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the run put aside."""
        import pyarrow as pa

        return [row for one in outputs["quarantines"] for row in pa.ipc.open_file(one["path"]).read_all().to_pylist()]


@contextmanager
def _watching(wanted: bool) -> Iterator[None]:
    """Do what the kernel does when memory is short: SIGKILL to whichever process of this run takes too much."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for pid in _grown():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if wanted:
            thread.join()


def _grown() -> list[int]:
    """Return the processes below this one that hold too much."""
    from corpusmill.runner.family import below

    found = []
    for pid in below([os.getpid()]).keys() - {os.getpid()}:
        try:
            resident, shared = (int(one) for one in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
        except (OSError, ValueError):
            continue
        if (resident - shared) * os.sysconf("SC_PAGE_SIZE") > KILLED_AT:
            found.append(pid)
    return found


@contextmanager
def _silent() -> Iterator[None]:
    """What the plugins print belongs to no table."""
    saved = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    try:
        yield
    finally:
        for descriptor, before in zip((1, 2), saved, strict=True):
            os.dup2(before, descriptor)
            os.close(before)
        os.close(nowhere)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1, ensure_ascii=False))
