"""Every crash point of a small run, one after the other: whatever stood in the middle, a plain rerun gives the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_points import DISK_FAULTS, OBJECT_FAULTS, Medium, Recording, faults, media, record, resume, survive
from crash_scenario import attempts_repeated
from simulated_disk import FailingDisk, RecordingDisk

from corpusmill.dataset import local_storage
from corpusmill.dataset.disk import swapped
from corpusmill.errors import StoreError

LOCAL, OBJECT = "local", "object"
SAMPLE = {LOCAL: 28, OBJECT: 14}
PHASES = {"start", "judge", "exact", "split", "words", "export"}
"""What comes before all stages; reading with its filter, the dedup, the split, the tokenizer, the export."""


@pytest.fixture(scope="module", params=[LOCAL, OBJECT])
def medium(request: pytest.FixtureRequest) -> Iterator[Medium]:
    """The scenario on each kind of storage."""
    with media([request.param]) as made:
        yield made[0]


@pytest.fixture(scope="module")
def recording(medium: Medium) -> Recording:
    """What a run without a fault does, operation by operation, and what a crash after each leaves."""
    return record(medium)


def test_the_run_has_all_that_must_survive(medium: Medium) -> None:
    """Three shards; documents leave at the filter, the dedup and into quarantine; a split, a tokenizer, an export."""
    outputs = medium.scenario.run(medium.fresh())
    counts = outputs["counts"]
    assert (counts["read"]["quarantined"], counts["judge"]["removed"]) == (
        {"invalid-json": 3},
        {"too-few-characters": 3},
    )
    assert sum(counts["exact"]["removed"].values()) == 5
    kinds = {name: outputs["outputs"][name]["kind"] for name in ("split", "words", "export")}
    assert kinds == {"split": "documents", "words": "tokenizer", "export": "files"}


def test_every_kind_of_operation_is_met(medium: Medium, recording: Recording) -> None:
    """No kind of operation is left out, nor a stage, and the points are hundreds: else the tests below say little."""
    assert set(medium.kinds) <= {point.kind for point in recording.points}
    assert {point.phase for point in recording.points} >= PHASES
    assert sum(len(case.points) for case in recording.cases) > (500 if medium.name == LOCAL else 300)


def test_a_crash_at_any_point(medium: Medium, recording: Recording) -> None:
    """Killed, or without power, after each kind of operation in each stage: nothing named is torn, a rerun mends it."""
    cases = recording.sample(SAMPLE[medium.name])
    problems = [one for case in cases for one in resume(medium, recording, case)]
    assert not problems, "\n".join(problems)


@pytest.mark.soak
def test_a_crash_at_every_point(medium: Medium, recording: Recording) -> None:
    """The same at all points there are."""
    problems = [one for case in recording.cases for one in resume(medium, recording, case)]
    assert not problems, "\n".join(problems)


def test_any_operation_may_fail(medium: Medium, recording: Recording) -> None:
    """Full disk, broken disk, no permission, a repeated attempt, a lost answer: told as such, and a rerun ends well."""
    tried = list(faults(medium))
    ways = DISK_FAULTS if medium.name == LOCAL else OBJECT_FAULTS
    assert {how for _, _, _, how in tried} >= set(ways)
    assert {kind for _, kind, _, _ in tried} >= set(medium.kinds)
    problems = [one for fault in tried for one in survive(medium, recording, fault)]
    assert not problems, "\n".join(problems)


@pytest.mark.soak
def test_every_operation_may_fail(medium: Medium, recording: Recording) -> None:
    """The same in every way at the first, the middle and the last operation of each kind in each stage."""
    problems = [one for fault in faults(medium, every=True) for one in survive(medium, recording, fault)]
    assert not problems, "\n".join(problems)


def test_work_that_is_done_twice_is_done_once(medium: Medium, recording: Recording) -> None:
    """Each unit attempted twice, by a worker thought dead and by its successor, publishes what one attempt does."""
    uri = medium.fresh()
    with attempts_repeated():
        medium.scenario.run(uri)
    assert medium.scenario.published(uri) == recording.published


def test_a_full_disk_says_what_is_needed(recording: Recording, medium: Medium) -> None:
    """Where a file cannot take its place for want of space: what is needed, what is free, and how to go on."""
    if medium.name != LOCAL:
        pytest.skip("an object store has room")
    full = FailingDisk()
    full.arm("judge", "rename", 1, "ENOSPC")

    def phases(name: str) -> None:
        full.phase = name

    with swapped(full), pytest.raises(StoreError, match=r"no space left.* needed.* free") as caught:
        medium.scenario.run(medium.fresh(), phases=phases)
    assert "run the same command" in str(caught.value)


@pytest.mark.parametrize("operation", ["sync_file", "sync_folder"])
def test_a_missing_sync_would_be_found(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """With parts, or the folders that name them, left unsynced, a power cut leaves records of what is not whole."""
    sync = getattr(RecordingDisk, operation)

    def forgetful(disk: RecordingDisk, path: Path) -> None:
        # Were nothing at all synced, a power cut would leave an empty disk, which is in order.
        if "files" not in path.parts and path.suffix != ".arrow":
            sync(disk, path)

    monkeypatch.setattr(RecordingDisk, operation, forgetful)
    with media([LOCAL]) as made:
        broken = record(made[0])
        assert any(made[0].scenario.not_whole(made[0].laid_out(case)) for case in broken.cases)


def test_a_record_that_names_too_early_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that publishes in place, byte by byte, leaves torn files under final names, and these tests see it."""

    def in_place(storage: Any, scratch: Path, name: str) -> None:
        from corpusmill.dataset.disk import write_file

        target = storage._place(name)
        write_file(target, b"")
        write_file(target, scratch.read_bytes())
        scratch.unlink()

    def put_first(storage: Any, name: str, data: bytes) -> bytes | None:
        target = storage._place(name)
        if target.exists():
            return target.read_bytes()
        write_in_place(target, data)
        return None

    from corpusmill.dataset.disk import write_file as write_in_place

    monkeypatch.setattr(local_storage.LocalStorage, "publish", in_place)
    monkeypatch.setattr(local_storage.LocalStorage, "put_if_absent", put_first)
    with media([LOCAL]) as made:
        broken = record(made[0])
        assert any(resume(made[0], broken, case) for case in broken.cases[::5])
