"""Who is blamed for a death: only rows that die alone, alike, again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.errors import ExecutorError, OperatorError
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.isolation import Isolation
from corpusmill.runner.policy import Control, run_units
from corpusmill.runner.unit import Died, Done, Unit

RECIPE = {"uses": "filter.x", "step": "x"}


def chunk(rows: int, first: int = 100) -> Chunk:
    ids = pa.array([str(first + row) for row in range(rows)])
    return Chunk(pa.record_batch({"id": ids}), np.arange(first, first + rows))


class ScriptedTrial:
    """Children that die of poison rows (by row number), and of kills from outside by a script."""

    def __init__(self, poison: dict[int, str], kills: list[bool]):
        self._poison, self._kills = poison, kills

    def _killed(self) -> bool:
        return self._kills.pop(0) if self._kills else False

    def whole(self, recipe: Any, tried: Chunk) -> str:
        if self._killed():
            return "crashed (signal 9)"
        return next((self._poison[row] for row in tried.rows.tolist() if row in self._poison), "ok")

    def first_death(self, recipe: Any, tried: Chunk) -> int | None:
        if self._killed():
            return len(tried) // 2
        return next((at for at, row in enumerate(tried.rows.tolist()) if row in self._poison), None)


@pytest.fixture(scope="module")
def isolate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[int, str]]:
    """Run isolation over ten rows with poison and kills."""
    crumb = Breadcrumb(tmp_path_factory.mktemp("crumbs") / "one")

    def run(poison: dict[int, str], kills: list[bool]) -> dict[int, str]:
        trial: Any = ScriptedTrial(poison, list(kills))
        return Isolation([[0, 100, 109]], trial, [RECIPE], crumb)(0, chunk(10))

    return run


@given(
    poison=st.dictionaries(st.integers(100, 109), st.sampled_from(["crashed (signal 11)", "exited with code 7"])),
    kills=st.lists(st.booleans(), max_size=30).filter(lambda kills: "1111" not in "".join("01"[one] for one in kills)),
)
def test_kills_from_outside_blame_nobody(isolate: Any, poison: dict[int, str], kills: list[bool]) -> None:
    """Whatever children are killed between, exactly the poison rows go, each with its own reason, or nobody does."""
    try:
        excluded = isolate(poison, kills)
    except OperatorError:
        assert len(poison) == 10
    except ExecutorError:
        assert sum(kills) >= 5
    else:
        assert excluded == poison


def test_a_document_that_kills_itself_is_blamed(isolate: Any) -> None:
    """SIGKILL is blamed too when the row dies of it alone four times."""
    assert isolate({104: "crashed (signal 9)"}, []) == {104: "crashed (signal 9)"}


def test_a_batch_that_dies_of_no_single_row_stops_the_run(isolate: Any) -> None:
    """Nobody is excluded for a machine that kills every child; the error says what to change."""
    with pytest.raises(ExecutorError, match="but on none of them alone") as caught:
        isolate({}, [True, False] * 20)
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
