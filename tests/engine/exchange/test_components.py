"""Union-find, components, the row that stays, and what it means for a part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange import union_find
from corpusmill.exchange.components import choose, cluster_sizes, components
from corpusmill.exchange.decisions import decisions, direct_links, is_direct
from corpusmill.exchange.link_file import read_links, write_links
from corpusmill.exchange.union_find import UnionFind

TOTAL = 30
ROWS = st.integers(0, TOTAL - 1)
PAIRS = st.lists(st.tuples(ROWS, ROWS).filter(lambda pair: pair[0] != pair[1]))


def links_of(pairs) -> np.ndarray:
    """Make an array of links."""
    return np.array(pairs, np.int64).reshape(-1, 2)


@given(pairs=PAIRS, data=st.data())
def test_link_order_and_chunks_do_not_matter(pairs, data):
    """Any order, direction, chunking and repetition of links gives the same components."""
    shuffled = [pair[::-1] for pair in data.draw(st.permutations(pairs + pairs))]
    size = data.draw(st.integers(1, 7))
    chunks = [links_of(shuffled[start : start + size]) for start in range(0, len(shuffled), size)]
    once, again = components([links_of(pairs)], TOTAL), components(chunks, TOTAL)
    assert [array.tolist() for array in once] == [array.tolist() for array in again]


@given(pairs=PAIRS)
def test_components_by_repeated_minimum(pairs):
    """The root of each member is the smallest row it reaches; rows without links are left out."""
    label = list(range(TOTAL))
    for _ in range(TOTAL):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    members, roots = components([links_of(pairs)], TOTAL)
    touched = sorted({row for pair in pairs for row in pair})
    assert members.tolist() == touched
    assert roots.tolist() == [label[row] for row in touched]


@given(pairs=PAIRS, ranks=st.lists(st.sampled_from([0.0, 1.0, np.nan, -np.inf]), min_size=TOTAL, max_size=TOTAL))
def test_the_best_ranked_row_stays(pairs, ranks):
    """Lowest rank, NaN last, ties to the lowest row."""
    members, roots = components([links_of(pairs)], TOTAL)
    kept = choose(members, roots, lambda rows: np.array(ranks)[rows])
    for root in set(roots.tolist()):
        group = members[roots == root].tolist()
        best = min(group, key=lambda row: (np.isnan(ranks[row]), 0 if np.isnan(ranks[row]) else ranks[row], row))
        assert set(kept[roots == root].tolist()) == {best}


@given(pairs=PAIRS, cuts=st.lists(st.integers(0, TOTAL), max_size=4).map(sorted))
def test_parts_share_out_the_removed_rows(pairs, cuts):
    """The decisions of all parts together are the members that are not kept, each once, whatever the parts."""
    members, kept = components([links_of(pairs)], TOTAL)
    found = []
    for base, end in zip([0, *cuts], [*cuts, TOTAL], strict=True):
        rows, keeper = decisions(members, kept, base, end - base)
        assert rows.dtype == np.uint32
        assert (np.diff(rows.astype(np.int64)) > 0).all()
        found += [(base + row, keep) for row, keep in zip(rows.tolist(), keeper.tolist(), strict=True)]
    assert found == [(row, keep) for row, keep in zip(members.tolist(), kept.tolist(), strict=True) if row != keep]


def test_direct_links_and_rules():
    """A row joined to the kept one through a third is a duplicate only if it is similar enough."""
    chain = links_of([(0, 1), (1, 2), (4, 5)])
    members, kept = components([chain], 6)
    direct = direct_links(members, kept, [chain[:1], chain[1:]])
    assert dict(zip(members.tolist(), direct.tolist(), strict=True)) == {0: True, 1: True, 2: False, 4: True, 5: True}
    similar = np.array([1.0, 0.9, 0.7, 1.0, 0.1])
    assert is_direct(None, 0.8, direct).tolist() == direct.tolist()
    assert is_direct(similar, 0.7, None).tolist() == [True, True, True, True, False]
    assert is_direct(similar, 0.8, direct).tolist() == [True, True, False, True, True]
    with pytest.raises(ValueError, match="neither"):
        is_direct(None, 0.8, None)


def test_direct_links_of_ranked_rows():
    """A link counts in both directions: the kept row may be the right one."""
    links = links_of([(0, 1), (0, 2)])
    members, roots = components([links], 3)
    kept = choose(members, roots, lambda rows: -rows.astype(np.float64))
    assert direct_links(members, kept, [links]).tolist() == [True, False, True]


def test_wide_row_numbers_give_the_same_components(monkeypatch):
    """The 8-byte route, for 2**31 rows and more, is the 4-byte one in all but size."""
    links = links_of([(3, 9), (9, 1), (4, 5)])
    narrow = components([links], 10)
    assert [array.tolist() for array in narrow] == [[1, 3, 4, 5, 9], [1, 1, 4, 4, 1]]
    monkeypatch.setattr(union_find, "_NARROW", 5)
    wide = components([links], 10)
    assert [array.tolist() for array in narrow] == [array.tolist() for array in wide]


def test_cluster_sizes():
    """Sizes count components, not rows."""
    _, roots = components([links_of([(0, 1), (2, 3), (3, 4), (8, 9)])], 10)
    assert cluster_sizes(roots) == {2: 2, 3: 1}
    assert cluster_sizes(roots[:0]) == {}


@pytest.mark.parametrize("bad", [(-1, 2), (2, 10)])
def test_links_to_unknown_rows_are_refused(bad):
    """A link outside the dataset never reaches compiled code."""
    with pytest.raises(IndexError, match="of 10"):
        UnionFind(10).unite(links_of([(0, 1), bad]))


def test_long_chains(tmp_path):
    """A path of a hundred thousand rows, given from its end and read back from files, is one component."""
    count = 100_000
    rows = np.arange(count - 1, dtype=np.int64)
    links = np.stack([rows, rows + 1], axis=1)[::-1]
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "empty"]
    for path, part in zip(paths, (links[:60_000], links[60_000:], links[:0]), strict=True):
        write_links(path, part)
    members, roots = components(read_links(paths, chunk=777), count)
    assert members.size == count
    assert not roots.any()
