"""Counts: the identity no row escapes, sums over shards in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.errors import OperatorError
from corpusmill.ledger.counts import StepCounts, merge_counts

_NUMBERS = st.integers(0, 50)
_REASONS = st.dictionaries(st.sampled_from(["short", "long", "other"]), st.integers(1, 9))
COUNTS = st.builds(
    StepCounts, rows_in=_NUMBERS, rows_out=_NUMBERS, added=_NUMBERS, changed=_NUMBERS, removed=_REASONS,
    quarantined=_REASONS,
)  # fmt: skip


@given(out=_NUMBERS, added=_NUMBERS, removed=_REASONS, quarantined=_REASONS)
def test_rows_that_add_up_pass(out: int, added: int, removed: dict[str, int], quarantined: dict[str, int]) -> None:
    """In + added = out + removed + quarantined is fine, whatever the numbers."""
    gone = sum(removed.values()) + sum(quarantined.values())
    StepCounts(out + gone, out + added, added, 0, removed, quarantined).check("step")


@pytest.mark.parametrize("missing", [-1, 1])
@pytest.mark.parametrize("where", ["rows_in", "rows_out", "added"])
def test_one_row_too_many_or_too_few_is_an_error(where: str, missing: int) -> None:
    """A single row that cannot be accounted for stops the step, which is named."""
    counts = StepCounts(10, 8, 1, 0, {"short": 2}, {"raised": 1})
    counts.check("filter.shaky")
    setattr(counts, where, getattr(counts, where) + missing)
    with pytest.raises(OperatorError, match=r"rows went missing in filter\.shaky"):
        counts.check("filter.shaky")


def test_reasons_add_up() -> None:
    """Rows are counted under their reason; none is no reason."""
    counts = StepCounts()
    counts.remove("short", 2)
    counts.remove("short", 3)
    counts.remove("long", 0)
    counts.quarantine("raised")
    assert (counts.removed, counts.quarantined) == ({"short": 5}, {"raised": 1})


@given(COUNTS)
def test_counts_come_back_from_a_record(counts: StepCounts) -> None:
    """All but the time is in the record."""
    counts.seconds = 0.0
    assert StepCounts.from_json(counts.to_json()) == counts


def test_a_record_holds_no_time() -> None:
    """The same work takes another time each run; its record must stay the same."""
    assert StepCounts(seconds=1.5).to_json() == StepCounts(seconds=9.0).to_json()


@given(st.lists(st.lists(COUNTS, min_size=2, max_size=2), max_size=4))
def test_the_order_of_shards_does_not_matter(shards: list[list[StepCounts]]) -> None:
    """Sums over shards are the same from first to last and from last to first, and keep the identity's two sides."""
    records = [[counts.to_json() for counts in shard] for shard in shards]
    merged = merge_counts(records)
    assert merged == merge_counts(records[::-1])
    assert [one.rows_in for one in merged] == [sum(shard[at].rows_in for shard in shards) for at in range(len(merged))]


def test_merging_leaves_the_shards_alone() -> None:
    """A sum is a new thing: the records it was made from keep their own reasons."""
    records = [[StepCounts(1, 0, removed={"short": 1}).to_json()] for _ in range(2)]
    assert merge_counts(records)[0].removed == {"short": 2}
    assert records[0][0]["removed"] == {"short": 1}
