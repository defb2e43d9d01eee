"""split.by-hash: shares, groups, stability, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill import Context
from corpusmill_plugins.splitters.by_hash import ByHash

USUAL = {"train": 0.9, "validation": 0.05, "test": 0.05}


def labels(batch: pa.RecordBatch, options: dict[str, Any], *, seed: int = 1, step: str = "split") -> list[str]:
    splitter = ByHash(ByHash.Options(**options), Context(seed=seed, step=step))
    return [splitter.labels()[index] for index in splitter.split(batch).tolist()]


def rows(number: int) -> pa.RecordBatch:
    return pa.record_batch(
        {"id": [f"{row:032x}" for row in range(number)], "source": [f"s{row % 50}" for row in range(number)]}
    )


def test_shares_hold_in_expectation() -> None:
    """Of 20,000 rows each label gets its share to within four standard deviations."""
    counts = Counter(labels(rows(20_000), USUAL))
    assert abs(counts["train"] - 18_000) < 4 * 42.5
    assert abs(counts["validation"] - 1_000) < 4 * 31
    assert abs(counts["test"] - 1_000) < 4 * 31


def test_equal_groups_get_equal_labels() -> None:
    """All rows of a source have one label, and sources differ."""
    batch = rows(1_000)
    found = labels(batch, {"train": 0.5, "test": 0.5, "group_by": "source"})
    by_group: dict[str, set[str]] = {}
    for source, label in zip(batch["source"].to_pylist(), found, strict=True):
        by_group.setdefault(source, set()).add(label)
    assert {len(one) for one in by_group.values()} == {1}
    assert set(found) == {"train", "test"}


def test_seed_and_step_change_the_draw() -> None:
    """Another seed or step id gives another, independent split; the same give the same."""
    options = {"train": 0.5, "test": 0.5}
    base = labels(rows(400), options)
    assert base == labels(rows(400), options)
    for other in (labels(rows(400), options, seed=2), labels(rows(400), options, step="other")):
        assert 120 < sum(one != two for one, two in zip(base, other, strict=True)) < 280


def test_a_row_without_a_group_goes_by_its_id() -> None:
    """Nulls are no group: they are spread like rows of their own."""
    batch = pa.record_batch({"id": [f"{row}" for row in range(200)], "source": pa.nulls(200, pa.large_string())})
    options = {"train": 0.5, "test": 0.5}
    found = labels(batch, {**options, "group_by": "source"})
    assert found == labels(batch, options)
    assert 60 < Counter(found)["train"] < 140


def test_groups_may_be_numbers() -> None:
    """A grouping column of any simple type works."""
    batch = pa.record_batch({"id": ["a", "b", "c"], "cluster": pa.array([7, 7, None])})
    found = labels(batch, {"train": 0.5, "test": 0.5, "group_by": "cluster"})
    assert found[0] == found[1]


def test_labels_of_other_names_come_after_the_usual_ones() -> None:
    """`labels` adds names; order is train, validation, test, then as written; one label alone takes all."""
    splitter = ByHash(ByHash.Options(test=0.2, labels={"b": 0.3, "a": 0.5}))
    assert splitter.labels() == ("test", "b", "a")
    assert set(labels(rows(50), {"labels": {"all": 1.0}})) == {"all"}


def test_it_reads_the_group_only() -> None:
    """Text is not needed."""
    assert ByHash(ByHash.Options(**USUAL)).reads() == ()
    assert ByHash(ByHash.Options(**USUAL, group_by="source")).reads() == ("source",)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train": 0.9},
        {"train": 0.9, "test": 0.2},
        {"train": 1.0, "test": 0.0},
        {"train": 0.5, "labels": {"test": 0.5}},
        {"labels": {"Big": 1.0}},
        {"labels": {"a": 1.5, "b": -0.5}},
        {**USUAL, "stratify_by": "label"},
    ],
)
def test_wrong_shares_and_names_are_refused(options: dict[str, Any]) -> None:
    """Shares must sum to one, names must be labels, and nothing inexact is offered."""
    with pytest.raises(ValidationError):
        ByHash.Options(**options)


@given(
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.sampled_from(["x", "y", ""])), max_size=10),
    st.integers(0, 3),
)
def test_rows_are_labelled_alone(made: list[tuple[str, str | None]], cut: int) -> None:
    """Neither batch cuts nor neighbours change a label."""
    batch = pa.record_batch(
        {
            "id": pa.array([one for one, _ in made], pa.string()),
            "g": pa.array([two for _, two in made], pa.large_string()),
        }
    )
    options = {"train": 0.4, "validation": 0.3, "test": 0.3, "group_by": "g"}
    together = labels(batch, options)
    assert together == labels(batch.slice(0, cut), options) + labels(batch.slice(cut), options)
