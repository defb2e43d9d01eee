"""Who is blamed for a death: only rows that die alone, alike, again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.errors import ExecutorError, OperatorError
from corpusmill.runner.blame import Breaker
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.isolated import OUTSIDE
from corpusmill.runner.isolation import Isolation, Trial
from corpusmill.runner.policy import Control, run_units
from corpusmill.runner.unit import Died, Done, Unit

RECIPE = {"uses": "filter.x", "step": "x"}


def chunk(rows: int, first: int = 100) -> Chunk:
    ids = pa.array([str(first + row) for row in range(rows)])
    return Chunk(pa.record_batch({"id": ids}), np.arange(first, first + rows))


class ScriptedTrial(Trial):
    """Children that die of poison rows (by id), and of kills from outside by a script."""

    def __init__(self, poison: dict[int, str], kills: list[bool], together: str = "ok"):
        super().__init__({"worker_memory": 1 << 30})
        self._poison, self._kills, self._together = poison, kills, together

    def _exchange(self, question: bytes) -> bytes:
        header, _, data = question.partition(b"\n")
        if self._kills and self._kills.pop(0):
            return orjson.dumps({"status": OUTSIDE, "row": len(self._kills) % 3}) + b"\n"
        ids = [int(one) for one in pa.ipc.open_stream(data).read_all()["id"].to_pylist()]
        found = [(self._poison[one], at) for at, one in enumerate(ids) if one in self._poison]
        by_row = orjson.loads(header)["by_row"]
        status, row = found[0] if found else (self._together if len(ids) > 1 and not by_row else "ok", 0)
        return orjson.dumps({"status": status, "row": row if by_row else 0}) + b"\n"


@pytest.fixture(scope="module")
def isolate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[int, str]]:
    """Run isolation over ten rows with poison and kills."""
    crumb = Breadcrumb(tmp_path_factory.mktemp("crumbs") / "one")

    def run(poison: dict[int, str], kills: list[bool], together: str = "ok") -> dict[int, str]:
        trial = ScriptedTrial(poison, list(kills), together)
        return Isolation([[0, 100, 109]], trial, [RECIPE], crumb)(0, chunk(10))

    return run


@given(
    poison=st.dictionaries(st.integers(100, 109), st.sampled_from(["crashed (signal 11)", "exited with code 7"])),
    kills=st.lists(st.booleans(), max_size=60),
)
def test_kills_from_outside_blame_nobody(isolate: Any, poison: dict[int, str], kills: list[bool]) -> None:
    """Whatever children are killed between, exactly the poison rows go, each with its own reason, or nobody does."""
    try:
        excluded = isolate(poison, kills)
    except OperatorError:
        assert len(poison) == 10
    except ExecutorError:
        assert sum(kills) >= 8
    else:
        assert excluded == poison


def test_a_document_that_kills_itself_is_blamed(isolate: Any) -> None:
    """A SIGKILL that a process sends to itself is told from one that comes from outside."""
    assert isolate({104: "crashed (signal 9)"}, []) == {104: "crashed (signal 9)"}


@pytest.mark.parametrize("kills", [8, 50])
def test_kills_without_end_stop_the_run_and_exclude_nothing(isolate: Any, kills: int) -> None:
    """Whoever kills every child gets an error that says what to do, never a document."""
    with pytest.raises(ExecutorError, match=r"filter.x was killed 8 times \(signal 9\)") as caught:
        isolate({}, [True] * kills)
    assert "for a SIGKILL no document is excluded" in str(caught.value)


def test_a_batch_that_dies_of_no_single_row_stops_the_run(isolate: Any) -> None:
    """Nobody is excluded for a batch that is too slow as a whole; the error says what to change."""
    with pytest.raises(ExecutorError, match="but on none of them alone") as caught:
        isolate({}, [], "passed its deadline")
    assert "--batch-bytes" in str(caught.value)


class DyingExecutor:
    """Workers that die as a script of breadcrumbs says, then live."""

    name, workers, in_flight, gpus = "dying", 1, 1, 0.0

    def __init__(self, path: Path, script: list[tuple[Any, ...] | None]):
        self._path, self._script, self._unit = path, script, None

    def submit(self, unit: Unit) -> None:
        self._unit = unit

    def next(self, timeout: float) -> Any:
        unit, self._unit = self._unit, None
        if not self._script:
            return unit, Done({})
        words = self._script.pop(0)
        if words is not None:
            Breadcrumb(self._path).put(*words)
        return unit, Died("killed by signal 9")


def endure(tmp_path: Path, script: list[tuple[Any, ...] | None]) -> Unit:
    """Run one unit under a script of deaths and return it."""
    unit, path = Unit("key", "pass", {}), tmp_path / "crumb"
    executor: Any = DyingExecutor(path, list(script))
    run_units(executor, [unit], lambda *_: None, control=Control(), crumbs=lambda key: path)
    return unit


def test_deaths_that_get_further_are_not_counted(tmp_path: Path) -> None:
    """Thirty poison documents in thirty batches of one shard: each death is another suspect, and the unit goes on."""
    script = [("operator", 0, 10 * at, 10 * at + 9) for at in range(30)]
    unit = endure(tmp_path, script)
    assert unit.payload["suspects"] == [list(words[1:]) for words in script]


@pytest.mark.parametrize("words", [None, ("read",), ("commit",)])
def test_deaths_outside_operators_suspect_nobody(tmp_path: Path, words: tuple[Any, ...] | None) -> None:
    """Two are borne; the third on one unit stops the run with what to do."""
    assert "suspects" not in endure(tmp_path, [words, words]).payload
    with pytest.raises(ExecutorError, match="3 times on the same unit"):
        endure(tmp_path, [words] * 3)


def test_a_crumb_speaks_for_one_death_only(tmp_path: Path) -> None:
    """A worker that dies before its first word is not taken for the one before it."""
    unit = endure(tmp_path, [("operator", 0, 5, 9), None])
    assert unit.payload["suspects"] == [[0, 5, 9]]


def test_a_unit_that_stands_still_ends(tmp_path: Path) -> None:
    """Deaths at one place of an operator, over and over, do not go on for ever."""
    with pytest.raises(ExecutorError, match="rows 5 to 9"):
        endure(tmp_path, [("operator", 0, 5, 9)] * 50)


@pytest.mark.parametrize("words", [("operator",), ("read", 0)])
def test_work_that_nobody_can_take_apart_is_tried_three_times(tmp_path: Path, words: tuple[Any, ...]) -> None:
    """A call that is no row's, or a reader, suspects no document when it dies; the error names step, plugin, shard
    and attempt."""
    unit, path = Unit("key", "join", {"part": ["0123456789abcdef", 40, None]}), tmp_path / "crumb"
    executor: Any = DyingExecutor(path, [words] * 9)
    with pytest.raises(ExecutorError, match="3 times on the same unit") as caught:
        run_units(
            executor,
            [unit],
            lambda *_: None,
            control=Control(),
            crumbs=lambda key: path,
            names=lambda unit, step: "step near (dedup.x)",
        )
    assert caught.value.where == "step near (dedup.x), shard 0123456789ab of 40 rows, attempt 3"
    assert "suspects" not in unit.payload


def taken(shards: list[tuple[int, int]]) -> OperatorError | None:
    """Feed a breaker shards of so many documents and failures; return what it raises."""
    breaker = Breaker([("read", "read.x", ""), ("judge", "filter.x", "./x.py")], 1)
    for rows, failures in shards:
        counts = [{"in": rows, "quarantined": {"invalid-json": rows}}]
        counts.append({"in": rows, "quarantined": {"raised ValueError": failures}})
        try:
            breaker.take(Unit("key", "pass", {"source": {"ranges": [["a.jsonl", "", 0, 9, "", 9]]}}), counts)
        except OperatorError as error:
            return error
    return None


def test_an_operator_that_fails_on_all_of_many_small_shards_stops_the_run() -> None:
    """A hundred documents in a row, five to a shard: the run ends after twenty shards, not after the corpus."""
    assert taken([(5, 5)] * 19) is None
    error = taken([(5, 5)] * 20)
    assert error is not None
    assert error.what.startswith("filter.x failed on 100 of 100 documents, 100 of them in a row in 20 shards")
    assert error.where == "step judge (filter.x), shard 'a.jsonl' from 0 to 9, attempt 1"
    assert error.hint == "corpusmill plugins check ./x.py"


@pytest.mark.parametrize("shards", [[(50, 49)] * 60, [*[(5, 5)] * 19, (5, 4)] * 9, [(0, 0)] * 200])
def test_failures_with_successes_between_stop_nothing(shards: list[tuple[int, int]]) -> None:
    """One document in fifty that passes: judging the share of bad records is the limits' business, at the end."""
    assert taken(shards) is None


def test_more_than_half_of_the_first_ten_thousand_is_a_fault() -> None:
    """Even where some pass in every shard."""
    assert taken([(100, 60)] * 83) is None
    error = taken([(100, 60)] * 84)
    assert error is not None
    assert "failed on 5040 of 8400 documents" in error.what
