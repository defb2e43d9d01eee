"""The whole exchange against a slow, plain Python dedup: equal links and kept rows, however the work is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange.components import choose, components
from corpusmill.exchange.join import Join, join_keys
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.sketch_file import SketchFile, SketchWriter
from corpusmill.plugin.dedup_kind import Sketch

SPREAD = 0x9E3779B97F4A7C15


@dataclass
class Corpus:
    """Rows with keys (ints, or (high, low) pairs), one evidence vector and, perhaps, a rank each."""

    keys: list[list[int | tuple[int, int]]]
    evidence: list[list[int]]
    rank: list[float] | None = None

    @property
    def wide(self) -> bool:
        return any(isinstance(key, tuple) for row in self.keys for key in row)


def mixed(value: int) -> int:
    """Spread small numbers over the 64-bit space, as a hash would."""
    return value * SPREAD % KEY_SPACE


def agreement(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of equal positions."""
    return (left == right).mean(axis=1)


Parts = tuple[list[SketchFile], list[int]]


def write_parts(folder: Path, corpus: Corpus, cuts: Sequence[int], batch: int = 5) -> Parts:
    """Write the corpus as parts that end at `cuts`, sketched `batch` rows at a time."""
    bounds = [0, *cuts, len(corpus.keys)]
    sketches = []
    for number, (start, stop) in enumerate(pairwise(bounds)):
        writer = SketchWriter()
        for first in range(start, stop, batch):
            add_batch(writer, corpus, first, min(first + batch, stop))
        paths = folder / f"{number}.keys", folder / f"{number}.rows"
        writer.write(*paths)
        sketches.append(SketchFile(paths[0], paths[1] if writer.has_row_data else None))
    return sketches, bounds[:-1]


def add_batch(writer: SketchWriter, corpus: Corpus, start: int, stop: int) -> None:
    """Sketch the rows `start` to `stop` as one batch."""
    entries = [(key, row - start) for row in range(start, stop) for key in corpus.keys[row]]
    keys = np.array([key for key, _ in entries], np.uint64)
    if not entries and corpus.wide:
        keys = keys.reshape(0, 2)
    rows = np.array([row for _, row in entries], np.int64)
    evidence = np.array(corpus.evidence[start:stop], np.uint32)
    rank = None if corpus.rank is None else np.array(corpus.rank[start:stop], np.float64)
    writer.add(Sketch(keys, rows, evidence), stop - start, rank)


def joined(sketches, bases, selections, low, high, similarity, threshold, *, preferred=0, **options) -> Join:
    """Join sketches whose rows carry their own rank and evidence, as `similarity` compares this."""
    table = RowTable(sketches, bases, preferred)

    def compare(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return similarity(table.evidence(left), table.evidence(right))

    asked = None if similarity is None else compare
    return join_keys(sketches, bases, selections, low, high, table, asked, threshold, **options)


def dedup(sketches, bases, ranges=1, selections=None, similarity=None, threshold=0.5, **options):
    """Run the exchange end to end; return links, kept row by member, and the sums of the statistics."""
    width = KEY_SPACE // ranges
    bounds = [(index * width, (index + 1) * width) for index in range(ranges)]
    joins = [joined(sketches, bases, selections, *cut, similarity, threshold, **options) for cut in bounds]
    links = sorted({(int(a), int(b)) for join in joins for a, b in join.links})
    table = RowTable(sketches, bases, options.get("preferred", 0))
    members, roots = components((join.links for join in joins), table.total)
    kept = choose(members, roots, table.rank if table.has_rank else None)
    return links, dict(zip(members.tolist(), kept.tolist(), strict=True)), (
        sum(join.candidates for join in joins), sum(join.verified for join in joins))  # fmt: skip


def reference_links(corpus: Corpus, selected: Iterable[int], similarity=None, threshold=0.5):
    """Links by a dict of buckets, after the words of the design."""
    buckets: dict[object, set[int]] = {}
    for row in selected:
        for key in corpus.keys[row]:
            buckets.setdefault(key, set()).add(row)
    links = set()
    for bucket in buckets.values():
        for left, right in bucket_pairs(sorted(bucket, key=lambda row: order(corpus, row)), star=similarity is None):
            sides = np.array([corpus.evidence[left]]), np.array([corpus.evidence[right]])
            if similarity is None or similarity(*sides)[0] >= threshold:
                links.add((min(left, right), max(left, right)))
    return sorted(links)


def bucket_pairs(ranked: list[int], star: bool):
    """Return the pairs of a bucket whose rows are given best first."""
    if not star and len(ranked) <= 64:
        return list(combinations(ranked, 2))
    best = [(ranked[0], row) for row in ranked[1:]]
    return best if star else best + list(pairwise(ranked[1:]))


def order(corpus: Corpus, row: int) -> tuple[float, int]:
    """Return what rows are ordered by: rank, then place."""
    return (corpus.rank[row] if corpus.rank else 0.0, row)


def reference_kept(corpus: Corpus, links) -> dict[int, int]:
    """Components by breadth-first search, the best-ranked row of each for all its members."""
    near: dict[int, set[int]] = {}
    for left, right in links:
        near.setdefault(left, set()).add(right)
        near.setdefault(right, set()).add(left)
    kept: dict[int, int] = {}
    for start in near:
        if start in kept:
            continue
        seen, queue = {start}, deque([start])
        while queue:
            for row in near[queue.popleft()] - seen:
                seen.add(row)
                queue.append(row)
        best = min(seen, key=lambda row: order(corpus, row))
        kept.update(dict.fromkeys(seen, best))
    return kept


@st.composite
def corpora(draw, most=40):
    """Small corpora in which many rows share keys; some rows have none; ranks tie often."""
    count = draw(st.integers(0, most))
    distinct = draw(st.integers(1, 12))
    one = st.integers(0, distinct).map(mixed)
    key = st.tuples(one, st.integers(0, 2)) if draw(st.booleans()) else one
    keys = draw(st.lists(st.lists(key, max_size=3), min_size=count, max_size=count))
    evidence = draw(st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=count, max_size=count))
    rank = draw(st.none() | st.lists(st.sampled_from([-1.5, 0.0, 2.0, np.inf]), min_size=count, max_size=count))
    return Corpus(keys, evidence, rank)


def cut_evenly(rows: int, parts: int) -> list[int]:
    """Return the inner bounds of `parts` parts of nearly equal size."""
    return [rows * index // parts for index in range(1, parts)]


METHODS = pytest.mark.parametrize("similarity", [None, agreement], ids=["exact", "verified"])


@METHODS
@given(corpus=corpora(), data=st.data())
def test_equals_the_reference(similarity, corpus, data):
    """Links and kept rows equal a dict of buckets and a breadth-first search."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(corpus.keys)), max_size=4)))
    expected = reference_links(corpus, range(len(corpus.keys)), similarity)
    with TemporaryDirectory() as folder:
        links, kept, (_, verified) = dedup(*write_parts(Path(folder), corpus, cuts), similarity=similarity)
    assert links == expected
    assert kept == reference_kept(corpus, expected)
    assert verified >= len(links)


@METHODS
@given(corpus=corpora())
def test_independent_of_parts_and_ranges(similarity, corpus):
    """1, 3 and 10 parts, 1, 4 and 16 key ranges, and tiny blocks give the same links, rows kept and statistics."""
    results = []
    with TemporaryDirectory() as name:
        for parts, cuts in ((1, (1, 16)), (3, (4,)), (10, (1, 16))):
            folder = Path(name) / str(parts)
            folder.mkdir()
            sketches, bases = write_parts(folder, corpus, cut_evenly(len(corpus.keys), parts))
            results += [dedup(sketches, bases, ranges, similarity=similarity) for ranges in cuts]
            results.append(dedup(sketches, bases, similarity=similarity, key_block=3))
    assert all(result == results[0] for result in results)


@METHODS
@given(corpus=corpora(), data=st.data())
def test_selections_are_respected(similarity, corpus, data):
    """Rows outside the selection take no part, as if they had no keys."""
    count = len(corpus.keys)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    expected = reference_links(corpus, np.flatnonzero(mask).tolist(), similarity)
    with TemporaryDirectory() as folder:
        sketches, bases = write_parts(Path(folder), corpus, cut_evenly(count, 3))
        masks = [mask[base : base + sketch.rows] for base, sketch in zip(bases, sketches, strict=True)]
        links, kept, _ = dedup(sketches, bases, selections=masks, similarity=similarity)
    assert links == expected
    assert kept == reference_kept(corpus, expected)


@pytest.mark.parametrize("ranked", [False, True])
@METHODS
def test_large_buckets_stay_linear(tmp_path, similarity, ranked):
    """A bucket of 65 rows and one of 3,000 give links by rank, and not all pairs."""
    sizes = (64, 65, 3000)
    keys = [[mixed(bucket + 1)] for bucket, size in enumerate(sizes) for _ in range(size)]
    rank = [float(-row * 7919 % 101) for row in range(len(keys))] if ranked else None
    corpus = Corpus(keys, [[1, row % 2] for row in range(len(keys))], rank)
    parts = write_parts(tmp_path, corpus, [50, 1000], batch=500)
    links, kept, (candidates, _) = dedup(*parts, 4, similarity=similarity)
    expected = reference_links(corpus, range(len(keys)), similarity)
    assert (links, kept) == (expected, reference_kept(corpus, expected))
    assert candidates == (sum(sizes) - 3 if similarity is None else 64 * 63 // 2 + 2 * (65 + 3000) - 6)


@METHODS
def test_badly_mixed_keys(tmp_path, similarity):
    """Keys that are small numbers, all in one cell of the first range, are sorted all the same."""
    corpus = Corpus([[row * 31 % 100] for row in range(400)], [[1]] * 400)
    links, _, _ = dedup(*write_parts(tmp_path, corpus, [100, 300]), 4, similarity=similarity)
    assert links == reference_links(corpus, range(400), similarity)


def test_keys_at_the_ends_of_the_space(tmp_path):
    """The smallest and the largest key are in a range each."""
    corpus = Corpus([[0], [KEY_SPACE - 1], [0], [KEY_SPACE - 1]], [[1]] * 4)
    for ranges in (1, 4):
        assert dedup(*write_parts(tmp_path, corpus, [1]), ranges)[0] == [(0, 2), (1, 3)]


def test_low_halves_of_wide_keys_count(tmp_path):
    """128-bit keys that share only their high half are different, also in large cells."""
    corpus = Corpus([[(mixed(1), row % 50)] for row in range(200)], [[1]] * 200)
    links, kept, _ = dedup(*write_parts(tmp_path, corpus, [120]))
    assert links == reference_links(corpus, range(200))
    assert set(kept.values()) == set(range(50))


def test_preferred_rows_rank_first(tmp_path):
    """Rows of an earlier corpus stay, whatever the rank of newer rows."""
    corpus = Corpus([[mixed(1)]] * 4, [[1]] * 4, [5.0, 9.0, 1.0, 0.0])
    sketches, bases = write_parts(tmp_path, corpus, [2])
    assert set(dedup(sketches, bases)[1].values()) == {3}
    assert set(dedup(sketches, bases, preferred=2)[1].values()) == {0}


def test_row_numbers_above_two_to_the_53rd(tmp_path):
    """Row numbers that a float64 cannot hold come out whole (uint64 + int64 would be a float64)."""
    base = 2**53 + 1
    corpus = Corpus([[mixed(1)], [mixed(1)], [mixed(2)], [mixed(2)]], [[1]] * 4)
    sketches, _ = write_parts(tmp_path, corpus, [])
    for similarity in (None, agreement):
        join = joined(sketches, [base], None, 0, KEY_SPACE, similarity, 0.5)
        assert join.links.dtype == np.int64
        assert join.links.tolist() == [[base, base + 1], [base + 2, base + 3]]
