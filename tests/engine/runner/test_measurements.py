"""Shared measurements: made once where nothing can differ, and never seen in a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.dataset.hashing import canonical_json
from corpusmill.errors import OperatorError
from corpusmill.plugin.operator import Context
from corpusmill.plugin.option import option
from corpusmill.plugin.row_kinds import Annotator, Augmented, Augmenter, Cleaner, Filter
from corpusmill.plugin.verdicts import Verdicts, at_most
from corpusmill.runner.chain import Chain
from corpusmill.runner.chunk import Chunk, numbered
from corpusmill.runner.measurements import shared_measurements

CALLS: Counter[str] = Counter()


class Count(Filter):
    """Keep texts with few of a letter; raises on texts with a question mark."""

    thresholds = ("most",)

    class Options(Filter.Options):
        letter: str = option("a", help="the letter")
        most: int = option(3, help="most of it")

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        CALLS[self.context.step] += 1
        texts = self.texts(batch)
        if pc.any(pc.match_substring(texts, "?")).as_py():
            raise ValueError("a question")
        return {"letters": pc.count_substring(texts, self.options.letter), "length": pc.utf8_length(texts)}

    def rules(self) -> list[Any]:
        return [at_most("letters", self.options.most)]


class CountByLanguage(Count):
    """Reads another column, too."""

    def reads(self) -> tuple[str, ...]:
        return (self.column, "language")


class OwnWay(Count):
    """Judges by itself."""

    def judge(self, batch: pa.RecordBatch) -> Verdicts:
        return super().judge(batch)


class Inexact(Count):
    """Depends on its batch, in the last digits."""

    exact = False


class Dice(Count):
    """Depends on the seed."""

    uses_seed = True


class Double(Cleaner):
    """Say everything twice."""

    def clean_text(self, text: str) -> str:
        return text + text


class Language(Annotator):
    """Add the language; in batches of its own."""

    exact = False

    def adds(self) -> dict[str, Any]:
        return {"language": pa.string()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"language": pa.array(["en"] * batch.num_rows)}


class Repeat(Augmenter):
    """Every row once more."""

    def augment(self, batch: pa.RecordBatch) -> Augmented:
        parent = np.repeat(np.arange(batch.num_rows), 2)
        made = [None if place % 2 == 0 else "again" for place in range(2 * batch.num_rows)]
        return Augmented(batch.take(pa.array(parent)), parent, made)


def build(*wanted: Any) -> list[Any]:
    """Build operators from classes, or (class, options); steps are named after their place."""
    built = []
    for place, one in enumerate(wanted):
        kind, options = one if isinstance(one, tuple) else (one, {})
        built.append(kind(kind.Options(**options), Context(step=f"step{place}")))
    return built


def shares(*wanted: Any) -> list[tuple[int, bool] | None]:
    found = shared_measurements(build(*wanted))
    return [(found[place].number, found[place].last) if place in found else None for place in range(len(wanted))]


A, B = (Count, {"most": 1}), (Count, {"most": 2})


@pytest.mark.parametrize(
    "between",
    [(), (Language,), ((Count, {"letter": "b"}),), (OwnWay,)],
    ids=["nothing", "annotator", "another-filter", "own-way"],
)
def test_other_thresholds_share(between: tuple[Any, ...]) -> None:
    """Two steps that differ in thresholds only measure once, past anything that leaves their columns alone."""
    found = shares(A, *between, B)
    assert (found[0], found[-1]) == ((0, False), (0, True))
    assert not any(found[1:-1])


@pytest.mark.parametrize(
    "steps",
    [
        (A, (Count, {"letter": "b"})),
        (A, Double, B),
        (A, Repeat, B),
        (Count, CountByLanguage),
        (CountByLanguage, Language, CountByLanguage),
        (OwnWay, OwnWay),
        (Inexact, Inexact),
        (Dice, Dice),
        (A,),
    ],
    ids=["options", "rewritten", "new-rows", "class", "column-replaced", "own-way", "inexact", "dice", "alone"],
)
def test_what_could_differ_is_measured_again(steps: tuple[Any, ...]) -> None:
    """Other options or classes, rewritten text, replaced columns, and filters whose numbers are their own."""
    assert not any(shares(*steps))


def test_the_text_before_and_after_a_cleaner_are_two_measurements() -> None:
    """Each version of the text has its own, shared among the steps that see it."""
    assert shares(A, B, Double, A, B, A) == [(0, False), (0, True), None, (1, False), (1, False), (1, True)]


def test_another_column_is_another_text() -> None:
    """Steps on `text` and on `title` do not share."""
    one, other = Count(None, Context(step="a")), Count(None, Context(step="b", column="title"))
    assert shared_measurements([one, other]) == {}


def test_kept_values_do_not_stop_sharing() -> None:
    """`signals: keep` changes what is stored, not what is measured."""
    assert shares(A, (Count, {"most": 2, "signals": "keep"})) == [(0, False), (0, True)]


def test_a_measurement_that_is_no_json_names_its_step() -> None:
    """An author who returns something that cannot be compared on all machines is told so."""

    class Odd(Count):
        def measurement(self) -> Any:
            return object()

    with pytest.raises(OperatorError, match="step1"):
        shared_measurements(build(Double, Odd))


def test_thresholds_name_options() -> None:
    """A slip in `thresholds` is an error where the class is written; it would only ever cost speed otherwise."""
    with pytest.raises(OperatorError, match="'mots'"):
        type("Slip", (Count,), {"thresholds": ("mots",)})


def rows(texts: list[str | None], size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(texts), size):
        cut = texts[start : start + size]
        ids = [f"id{row}" for row in range(start, start + len(cut))]
        yield pa.record_batch({"id": pa.array(ids), "text": pa.array(cut, pa.large_string())})


def result(steps: list[Any], texts: list[str | None], size: int, *, share: bool) -> tuple[Any, ...]:
    """Return what a chain left: rows kept, removed and quarantined, counts, signals."""
    operators = build(*steps)
    chain = Chain(operators, [type(one).__name__ for one in operators])
    if not share:
        chain._shared = {}
    kept: list[Chunk] = list(chain.run(numbered(rows(texts, size), 1 << 20)))
    signals = {step: canonical_json(one.to_json()) for step, one in chain.signals.items()}
    tables = {step: table.to_pylist() for step, one in chain.signals.items() if (table := one.table()) is not None}
    return (
        [row for chunk in kept for row in chunk.batch.to_pylist()],
        [row for chunk in kept for row in chunk.rows.tolist()],
        chain.ledger.table().to_pylist(),
        chain.quarantine.table().to_pylist(),
        [counts.to_json() for counts in chain.counts],
        signals,
        tables,
    )


KEPT = (Count, {"most": 2, "signals": "keep"})
OPERATORS = st.sampled_from([A, B, KEPT, Double, Language, Repeat, OwnWay, Inexact])
STEPS = st.lists(OPERATORS, min_size=2, max_size=7).filter(lambda steps: steps.count(Repeat) < 3)
TEXTS = st.lists(st.none() | st.text("ab ?", max_size=8), max_size=150)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, texts=TEXTS, size=st.sampled_from([1, 7, 64, 1_000]))
def test_no_result_shows_that_a_measurement_was_shared(steps: list[Any], texts: list[str | None], size: int) -> None:
    """Rows, ledger, quarantine, counts, histograms and kept values are those of a chain that measures every time."""
    assert result(steps, texts, size, share=True) == result(steps, texts, size, share=False)


def test_it_is_measured_once() -> None:
    """Three steps with other thresholds ask once a batch; after a cleaner they ask again."""
    CALLS.clear()
    texts: list[str | None] = ["a", "aa b", "aaaa", "b"] * 10
    result([(Count, {"most": 3}), B, A, Double, B, A], texts, 5, share=True)
    assert CALLS == {"step0": 8, "step4": 8}


class OneBuffer(Count):
    """Fills the same array for every batch."""

    buffer = np.zeros(1_000)

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        held = self.buffer[: batch.num_rows]
        held[:] = super().measure(batch)["letters"]
        return {"letters": held}


def test_an_operator_may_use_its_arrays_again() -> None:
    """What was measured stays as it was while rows wait for their neighbours, or a batch is tried in halves."""
    steps = [(OneBuffer, {"most": 5, "signals": "keep"}), Language, (OneBuffer, {"most": 5, "signals": "keep"})]
    texts = ["a" * (row % 5) + ("?" if row == 11 else "") for row in range(90)]
    for size in (20, 90):
        tables = result(steps, texts, size, share=True)[-1]
        expected = [float(row % 5) for row in range(90) if row != 11]
        assert [[one["letters"] for one in tables[step]] for step in (0, 2)] == [expected, expected]


def test_a_text_that_cannot_be_measured_is_lost_at_the_first_step_only() -> None:
    """The first step quarantines it; its neighbours' measurements serve the second."""
    CALLS.clear()
    told = result([A, B], ["a", "why?", "aa", "aaaa"], 4, share=True)
    assert [one["step"] for one in told[3]] == [0]
    assert "step1" not in CALLS
