"""Props of the fault tests: a pit of documents, operators that misbehave on marked ones, runs in and out of process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pyarrow as pa
import pytest

from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, RunResult, run_spec

PLUGIN = (Path(__file__).parent / "faulty_plugin.py").read_text(encoding="utf-8")
LATE = (Path(__file__).parent / "late_plugin.py").read_text(encoding="utf-8").partition("`faulty_plugin.py`.\n")[2]
COMMAND = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run"]
PATIENCE = 90.0
"""Seconds any single awaited thing may take on a crowded machine; nothing sleeps for so long."""
KEPT = ("datasets/", "files/", "commits/", "artifacts/")


class Pit:
    """A spec's folder with documents beside it; the spec uses operators of `faulty_plugin.py`."""

    def __init__(self, root: Path):
        self.root, self.store = root, root / "store"
        self.name = "pit"
        self.plugins = ["./faulty.py"]
        (root / "faulty.py").write_text(PLUGIN, encoding="utf-8")

    def misbehave_late(self) -> None:
        """Let the spec use operators of `late_plugin.py`, too."""
        (self.root / "late.py").write_text(PLUGIN.partition("class Faulty(")[0] + LATE, encoding="utf-8")
        self.plugins = ["./faulty.py", "./late.py"]

    def documents(self, files: int = 3, rows: int = 40, poison: Sequence[tuple[int, int]] = (), word: str = "") -> None:
        """Write files of documents, each big enough to be a shard; `poison`: (file, row) where `word` stands."""
        (self.root / "data").mkdir(exist_ok=True)
        for file in range(files):
            lines = []
            for row in range(rows):
                mark = word if (file, row) in poison else "calm"
                text = f"document {row} of file {file} is {mark:6} " + "and goes on " * (5 + (row * 7 + file) % 9)
                lines.append(json.dumps({"text": text}))
            (self.root / f"data/{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(self) -> dict[str, Any]:
        """The reader, with shards so small that each file is one."""
        return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 16000}}

    def faulty(self, action: str = "none", **options: Any) -> dict[str, Any]:
        """The filter that does `action` on documents with POISON."""
        return {"id": "judge", "uses": "filter.faulty", "with": {"action": action, **options}}

    def spec(self, steps: Sequence[dict[str, Any]], **top: Any) -> Path:
        """Write a spec; its limits allow many bad records."""
        limits = {"max_bad_fraction": 1.0, "deadline": 2, **top.pop("limits", {})}
        content = {"corpusmill": 1, "name": self.name, "plugins": self.plugins, "steps": list(steps)}
        path = self.root / f"{self.name}.yaml"
        path.write_text(json.dumps({**content, "limits": limits, **top}), encoding="utf-8")
        return path

    def run(self, steps: Sequence[dict[str, Any]], store: str = "store", **top: Any) -> RunResult:
        """Run in this process' inline executor; `executor`, `debug`, `retry` and the like are options of the run."""
        named = {name: top.pop(name) for name in ("executor", "debug", "workers", "address", "retry") if name in top}
        options = RunOptions(store=str(self.root / store), **{"executor": "inline", **named})
        return run_spec(check(self.spec(steps, **top)), options)

    def start(self, spec: Path, *arguments: str, store: str = "store", executor: str = "inline") -> subprocess.Popen:
        """Start the command in a process group of its own."""
        command = [*COMMAND, str(spec), "--store", str(self.root / store), "--executor", executor, "--quiet"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*command, *arguments], stdout=pipe, stderr=pipe, text=True, cwd=self.root, start_new_session=True
        )

    def call(self, spec: Path, *arguments: str, **where: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        process = self.start(spec, *arguments, **where)
        out, err = process.communicate(timeout=3 * PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def outputs(self, store: str = "store") -> dict[str, Any]:
        """Return `outputs.json` of the newest run."""
        folders = (self.root / store).glob(f"runs/{self.name}/*/outputs.json")
        newest: dict[str, Any] = orjson.loads(max(folders, key=lambda path: path.stat().st_mtime_ns).read_bytes())
        return newest

    def rows(self, outputs: dict[str, Any], step: str = "judge", store: str = "store") -> list[dict[str, Any]]:
        """Return the rows of a step's dataset."""
        dataset = Dataset.open(Store(str(self.root / store)), outputs["outputs"][step]["digest"])
        return pa.Table.from_batches(list(dataset.batches()), schema=dataset.schema).to_pylist()

    def quarantine(self, outputs: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what a run quarantined."""
        return [row for one in outputs["quarantines"] for row in pa.ipc.open_file(one["path"]).read_all().to_pylist()]

    def tree(self, store: str = "store") -> dict[str, str]:
        """Return name -> hash of all that is published in a store."""
        storage = open_storage(str(self.root / store))
        return {name: hash_bytes(storage.read(name)) for name in storage.list("") if name.startswith(KEPT)}


@pytest.fixture
def pit(tmp_path: Path) -> Pit:
    """A pit in an empty folder."""
    return Pit(tmp_path)


@pytest.fixture(scope="module")
def new_pit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Pit]:
    """Make pits that several tests of a module share."""
    return lambda: Pit(tmp_path_factory.mktemp("pit"))


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll until the condition is true and return it; the event itself is a file or a process, never a time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    pytest.fail(f"waited in vain for {what}")


def alive(pid: int) -> bool:
    """Say whether a process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    # A process may end while it is looked at, which `Path.glob` does not expect.
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(one) for one in (task / "children").read_text().split()]
    return [one for one in found if alive(one)]


def descendants(pid: int) -> list[int]:
    """Return all living descendants of a process."""
    direct = children(pid)
    return direct + [one for child in direct for one in descendants(child)]


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; False when the process was gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work(ended)` in a thread while the block runs; what it raises is raised after the block."""
    ended, errors = threading.Event(), []

    def body() -> None:
        try:
            work(ended)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any], str], Any]:
    """`wait_for`, for tests: `until(condition, what)`."""
    return wait_for


@pytest.fixture(scope="session")
def processes() -> Any:
    """The functions of this file that look at processes and kill them."""
    return SimpleNamespace(
        alive=alive, children=children, descendants=descendants, kill=kill, in_background=in_background
    )


@pytest.fixture(scope="session")
def reliability(repository: Path) -> Any:
    """The machinery of `make reliability`: small pipelines, kills at chosen places, clusters of several nodes."""
    folder = str(repository / "benchmarks" / "reliability")
    sys.path.insert(0, folder)
    try:
        import grid
        import killing
        import mill
    finally:
        sys.path.remove(folder)
    names = {**vars(mill), **vars(killing), **vars(grid)}
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("_")})
