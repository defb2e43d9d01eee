"""The journal: events come back as written, after any crash, and never with a secret."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pluggy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.errors import StoreError
from corpusmill.plugin import hookspecs
from corpusmill.runner.journal import FILE_NAME, Journal, read_journal

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
DATA = st.dictionaries(st.text(), JSON, max_size=3)


def written(folder: Path, events: list[dict[str, Any]], **options: Any) -> Path:
    journal = Journal(**options)
    journal.open(folder)
    for data in events:
        journal.write("stage_started", data)
    journal.close()
    return folder / FILE_NAME


@given(events=st.lists(DATA, max_size=4))
@settings(max_examples=50, deadline=None)
def test_events_come_back_as_written(events: list[dict[str, Any]]) -> None:
    """Whatever JSON an event carries (newlines, lone surrogates, big integers) is read back equal and in order."""
    with tempfile.TemporaryDirectory() as folder:
        read = read_journal(written(Path(folder), events))
    assert [dict(event.data) for event in read] == events


@given(events=st.lists(DATA, min_size=1, max_size=4), data=st.data())
@settings(max_examples=80, deadline=None)
def test_torn_journal_reads_as_its_whole_lines(events: list[dict[str, Any]], data: st.DataObject) -> None:
    """Cut at any byte, the journal reads as exactly the events whose lines are complete, and can be continued."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), events)
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        whole = events[: content[:cut].count(b"\n")]
        assert [dict(event.data) for event in read_journal(path)] == whole
        written(Path(folder), [{"after": "restart"}])
        assert [dict(event.data) for event in read_journal(path)] == [*whole, {"after": "restart"}]


def test_damage_before_the_last_line_is_an_error(tmp_path: Path) -> None:
    """A broken line in the middle is damage, not a crash, and is named with its line number."""
    path = written(tmp_path, [{"n": 1}, {"n": 2}, {"n": 3}])
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1][:9], *lines[2:]]))
    with pytest.raises(StoreError, match="damaged journal line 2"):
        read_journal(path)


def test_a_missing_journal_has_no_events(tmp_path: Path) -> None:
    """A run killed before its first event is readable."""
    assert read_journal(tmp_path / FILE_NAME) == []


def test_secrets_never_reach_the_disk(tmp_path: Path) -> None:
    """A secret is replaced in keys, values, nested lists and paths, also where one secret contains another."""
    event = {"token": "abc", "list": ["x-abcdef-y"], "abc": {"deep": Path("/home/abcdef/file")}}
    path = written(tmp_path, [event], secrets=["abc", "abcdef", ""])
    assert b"abc" not in path.read_bytes()
    assert b"def" not in path.read_bytes()
    assert read_journal(path)[0].data["list"] == ["x-***-y"]


def test_numbers_that_json_lacks_are_spelt_out(tmp_path: Path) -> None:
    """A loss that is not a number stays visible as text, and the line stays valid JSON."""
    path = written(tmp_path, [{"loss": float("nan"), "worse": float("-inf")}])
    assert dict(read_journal(path)[0].data) == {"loss": "nan", "worse": "-inf"}


def test_journal_is_an_observer_of_all_hooks(tmp_path: Path) -> None:
    """Registered with pluggy, the journal writes one event a hook, in order, with UTC times, and no bulk at the end."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Journal(clock=lambda: datetime(2026, 11, 22, 3, 44, 29, tzinfo=UTC)))
    manager.check_pending()
    stage = {"id": "pages", "steps": ["pages"], "kind": "pass"}
    manager.hook.corpusmill_run_started(run={"name": "quickstart", "folder": str(tmp_path)})
    manager.hook.corpusmill_stage_started(stage={**stage, "total": 2, "cached": 0})
    manager.hook.corpusmill_shards_committed(stage={"id": "pages", "done": 1, "total": 2})
    manager.hook.corpusmill_metrics(stage=stage, step=3, values={"loss": 1.5})
    manager.hook.corpusmill_stage_finished(stage={**stage, "digest": "d", "rows": 5, "seconds": 1.0, "counts": {}})
    manager.hook.corpusmill_run_finished(run={"status": "done", "outputs": {"pages": {}}, "ledger": [1], "counts": {}})
    events = read_journal(tmp_path / FILE_NAME)
    assert [event.event for event in events] == [
        "run_started", "stage_started", "shards_committed", "metrics", "stage_finished", "run_finished",
    ]  # fmt: skip
    assert {event.time for event in events} == {"2026-11-22T03:44:29.000Z"}
    assert dict(events[3].data) == {"id": "pages", "step": 3, "values": {"loss": 1.5}}
    assert dict(events[5].data) == {"status": "done"}


def test_heartbeats_do_not_fill_the_disk(tmp_path: Path) -> None:
    """A report that says nothing new is not written; each step forward is."""
    journal = Journal()
    journal.open(tmp_path)
    for done in (0, 0, 1, 1, 1, 2):
        journal.corpusmill_shards_committed({"id": "model", "done": done, "total": 9, "seconds": done + 0.5})
    journal.close()
    assert [event.data["done"] for event in read_journal(tmp_path / FILE_NAME)] == [0, 1, 2]
