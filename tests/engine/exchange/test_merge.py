"""Merged key files: as if the parts were one, whatever the blocks; the same links as from the sketches themselves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.dataset.hashing import hash_json
from corpusmill.exchange.join import join_keys
from corpusmill.exchange.merge import merge_groups, merge_keys
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.sketch_file import SketchFile, SketchWriter
from corpusmill.plugin.dedup_kind import Sketch

PARTS = st.lists(st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=6), min_size=1, max_size=6)
SPREAD = 0x9E3779B97F4A7C15


def written(folder: Path, name: str, parts: list[list[list[int]]], wide: bool) -> SketchFile:
    """Sketch parts, each a list of rows with keys, as one part."""
    writer = SketchWriter()
    for rows in parts:
        flat = [(key * SPREAD % KEY_SPACE, row) for row, keys in enumerate(rows) for key in keys]
        keys = np.array([[key >> 60, key] if wide else key for key, _ in flat], np.uint64)
        keys = keys.reshape(-1, 2) if wide and flat else keys
        evidence = np.array([[len(keys), sum(keys)] for keys in rows], np.uint32).reshape(len(rows), 2)
        writer.add(Sketch(keys, np.array([row for _, row in flat], np.int64), evidence), len(rows), None)
    path = folder / f"{name}.keys"
    writer.write(path, folder / f"{name}.rows")
    return SketchFile(path, folder / f"{name}.rows" if writer.has_row_data else None)


def scratch(folder: Path) -> Callable[[str], Path]:
    numbers = itertools.count()
    return lambda suffix: folder / f"{next(numbers)}{suffix}"


@given(parts=PARTS, wide=st.booleans(), block=st.sampled_from([1, 3, 1000]))
def test_a_run_is_the_sketch_of_all_its_parts(parts: list[list[list[int]]], wide: bool, block: int) -> None:
    """Merging sketches gives the bytes that sketching the parts as one part gives, in blocks of any size."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        members = [written(folder, f"part-{number}", [rows], wide) for number, rows in enumerate(parts)]
        merge_keys(members, folder / "run", scratch(folder), block=block)
        whole = written(folder, "whole", parts, wide)
        assert (folder / "run").read_bytes() == (folder / "whole.keys").read_bytes()
        assert SketchFile(folder / "run").rows == whole.rows
        assert not list(folder.glob("*.column"))


@given(parts=PARTS, cut=st.integers(0, 6), ranges=st.sampled_from([1, 4]), verified=st.booleans(), masked=st.booleans())
def test_links_are_those_of_the_sketches(
    parts: list[list[list[int]]], cut: int, ranges: int, verified: bool, masked: bool
) -> None:
    """A join of two runs gives the links, candidates and verified pairs of a join of the sketches."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        members = [written(folder, f"part-{number}", [rows], False) for number, rows in enumerate(parts)]
        bases = np.cumsum([0, *(one.rows for one in members)]).tolist()
        masks = [np.arange(one.rows) % 3 != 1 for one in members]
        groups = [one for one in (slice(0, cut), slice(cut, len(parts))) if members[one]]
        runs = []
        for number, group in enumerate(groups):
            merge_keys(members[group], folder / f"run-{number}", scratch(folder))
            runs.append(SketchFile(folder / f"run-{number}"))
        table = RowTable(members, bases[:-1])

        def compared(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return (table.evidence(left) == table.evidence(right)).mean(axis=1)

        compare = compared if verified else None
        for index in range(ranges):
            low, high = index * KEY_SPACE // ranges, (index + 1) * KEY_SPACE // ranges
            plain = join_keys(members, bases[:-1], masks if masked else None, low, high, table, compare, 0.6)
            merged_masks = [np.concatenate(masks[group]) for group in groups] if masked else None
            starts = [bases[group.start] for group in groups]
            joined = join_keys(runs, starts, merged_masks, low, high, table, compare, 0.6)
            assert joined.links.tolist() == plain.links.tolist()
            assert (joined.candidates, joined.verified) == (plain.candidates, plain.verified)


def test_only_crumbs_are_merged() -> None:
    """Few sketches, and slices of a megabyte or more, stay as they are; a thousand crumbs become a few runs."""
    digests, rows = [hash_json(number) for number in range(1000)], [10] * 1000
    alone = [slice(place, place + 1) for place in range(1000)]
    assert merge_groups(digests, rows, 1000 * (4 << 20), 4) == alone
    assert merge_groups(digests[:256], rows[:256], 256 * 100, 4) == alone[:256]
    groups = merge_groups(digests, rows, 1000 * (4 << 20) - 1, 4)
    assert 2 <= len(groups) <= 4
    assert all(256 <= group.stop - group.start <= 512 for group in groups[:-1])


def test_rows_of_a_run_can_be_numbered() -> None:
    """No run has more rows than its numbers can tell apart."""
    groups = merge_groups([hash_json(number) for number in range(300)], [2**30] * 300, 300, 1)
    assert all(group.stop - group.start <= 3 for group in groups)
