"""The life of a store as a state machine: runs, edits, kills, flipped bits, repairs and gc in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from corpusmill.dataset import commits
from corpusmill.dataset import store as store_room
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.dataset.verification import repair, verify_files
from corpusmill.errors import StoreError
from corpusmill.plan.check import check
from corpusmill.runner import driver, worker
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.orphans import find_orphans, remove_orphans
from corpusmill.runner.store_check import take_inventory

WRITES = ("publish", "put_if_absent", "put", "delete")
KEPT = ("files/", "datasets/", "artifacts/", "commits/", "inputs/")
VARIANTS = st.integers(0, 3)
Outputs = dict[str, dict[str, Any]]


class Crash(BaseException):
    """The machine stops here."""


class Killing:
    """A storage that stops the machine before its n-th write."""

    left: ClassVar[int] = 0

    def __init__(self, inner: Any):
        self._inner, self.uri, self.remote, self.runs_root = inner, inner.uri, inner.remote, inner.runs_root

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        if name not in WRITES:
            return operation

        def watched(*arguments: Any) -> Any:
            Killing.left -= 1
            if Killing.left == 0:
                raise Crash
            return operation(*arguments)

        return watched


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stores whose writes can be cut, and records that are merged early and half by half."""
    monkeypatch.setattr(store_room, "open_storage", lambda uri: Killing(open_storage(uri)))
    monkeypatch.setattr(commits, "EVERY", 5)
    monkeypatch.setattr(commits, "_THREADS", 1)
    monkeypatch.setattr(driver, "LEFT_OVER", 3)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Killing.left = 0


class StoreLife(RuleBasedStateMachine):
    """The model: what each variant of the spec published, which is what it publishes into a store of its own."""

    expected: ClassVar[dict[int, Outputs]] = {}

    def __init__(self, new_pit: Callable[[], Any]):
        super().__init__()
        self.pit = new_pit()
        self.pit.documents(files=3, rows=24)
        self.uri = ""
        self.published: dict[int, Outputs] = {}
        self.damaged = False

    @initialize(scheme=st.sampled_from(["", "object://"]))
    def begin(self, scheme: str) -> None:
        """On a disk, or on an object store."""
        self.uri = f"{scheme}{self.pit.store}"

    def made(self, variant: int, uri: str) -> Outputs:
        """Run a variant as a process would that knows nothing of earlier ones."""
        worker._workspaces.clear()
        chain = [
            {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 3000}},
            self.pit.faulty(most=170 + 10 * (variant % 2)),
            {"id": "exact", "uses": "dedup.exact"},
            *([{"id": "upper", "uses": "clean.upper"}] if variant > 1 else []),
        ]
        outputs = run_spec(check(self.pit.spec(chain)), RunOptions(store=uri, debug=True)).outputs["outputs"]
        return {name: {**one, "path": None} for name, one in outputs.items()}

    @rule(variant=VARIANTS)
    def run(self, variant: int) -> None:
        """A run ends well, whatever lies in the store, and makes what it makes in an empty one."""
        found = self.made(variant, self.uri)
        left, Killing.left = Killing.left, 0
        if variant not in self.expected:
            self.expected[variant] = self.made(variant, str(self.pit.root / f"calm-{variant}"))
        Killing.left = left
        assert found == self.expected[variant]
        self.published[variant] = found

    @rule(variant=VARIANTS, at=st.integers(1, 30))
    def kill(self, variant: int, at: int) -> None:
        """A run is killed before one of its writes, if it has so many to do."""
        Killing.left = at
        try:
            self.run(variant)
        except Crash:
            pass
        finally:
            Killing.left = 0

    @rule(at=st.one_of(st.just(0), st.integers(1, 6)))
    def gc(self, at: int) -> None:
        """Orphans go, or half of them; beside damage nothing may be known to be one."""
        Killing.left = at
        try:
            store = Store(self.uri)
            remove_orphans(store, find_orphans(store, 0.0))
        except Crash:
            pass
        except StoreError:
            assert self.damaged
        finally:
            Killing.left = 0

    @precondition(lambda self: self.published)
    @rule(choice=st.randoms(use_true_random=False))
    def flip(self, choice: random.Random) -> None:
        """A bit flips somewhere in what the store keeps."""
        names = [name for name in Store(self.uri).storage.list("") if name.startswith(KEPT)]
        name = choice.choice(names)
        path = Path(self.pit.store) / (quote(name, safe="") if "://" in self.uri else name)
        data = bytearray(path.read_bytes())
        data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
        path.write_bytes(data)
        self.damaged = True

    @precondition(lambda self: self.damaged)
    @rule()
    def mend(self) -> None:
        """What verify finds is forgotten; whoever made it makes it again, and all is whole."""
        store = Store(self.uri)
        repair(store, verify_files(take_inventory(store)).findings)
        for variant in sorted(self.published):
            self.run(variant)
        self.damaged = False

    @invariant()
    def what_was_published_is_there(self) -> None:
        """Every dataset that a run published is read to its end, and is what it was; the store verifies."""
        if self.damaged or not self.uri:
            return
        store = Store(self.uri)
        assert not verify_files(take_inventory(store)).findings
        for variant, outputs in self.published.items():
            assert outputs == self.expected[variant]
            for output in outputs.values():
                rows = [batch.num_rows for batch in Dataset.open(store, output["digest"]).batches()]
                assert sum(rows) == output["rows"]

    def teardown(self) -> None:
        """In the end, after gc, all that was published is cached: runs leave nothing that was not there."""
        if self.damaged:
            self.mend()
        for variant in sorted(self.published):
            self.run(variant)
        self.gc(0)
        before = self._files()
        for variant in sorted(self.published):
            self.run(variant)
        self.gc(0)
        assert self._files() == before

    def _files(self) -> list[str]:
        return [name for name in Store(self.uri).storage.list("") if name.startswith(KEPT)] if self.uri else []


def live(new_pit: Callable[[], Any], examples: int, steps: int) -> None:
    """Live so many lives of so many steps; few lives are the same ones each time."""
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=examples < 10,
        suppress_health_check=list(HealthCheck),
    )
    run_machine(lambda: StoreLife(new_pit), settings=how)


def test_published_data_stay_through_anything(new_pit: Callable[[], Any], killing: None) -> None:
    """A few short lives."""
    live(new_pit, 6, 8)


@pytest.mark.soak
def test_published_data_stay_through_many_lives(new_pit: Callable[[], Any], killing: None) -> None:
    """Many long lives, other ones each time."""
    live(new_pit, 60, 25)
