"""Small batches go through a chain together."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.runner.chunk import gathered


def batches_of(sizes: list[int]) -> list[pa.RecordBatch]:
    """Batches of numbered rows of eight bytes each."""
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [
        pa.record_batch({"n": pa.array(range(start, start + size), pa.int64())})
        for start, size in zip(starts, sizes, strict=True)
    ]


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(8, 400))
def test_rows_stay_in_order(sizes: list[int], most: int) -> None:
    """Every row comes out once, in its place."""
    rows = [row for batch in gathered(batches_of(sizes), most) for row in batch.column("n").to_pylist()]
    assert rows == list(range(sum(sizes)))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(8, 400))
def test_no_two_neighbours_fit_together(sizes: list[int], most: int) -> None:
    """What is larger than the bound was one batch before; two that fit into it are joined."""
    out = list(gathered(batches_of(sizes), most))
    assert all(batch.nbytes <= most or batch.num_rows in sizes for batch in out)
    first_sizes = {sum(sizes[:place]): size for place, size in enumerate(sizes)}
    for one, two in pairwise(out):
        assert one.nbytes + 8 * first_sizes[two.column("n")[0].as_py()] > most
