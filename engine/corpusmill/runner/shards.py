"""Cutting input files into shards: big files on a constant grid, small ones in groups that other files cannot shift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import xxhash

SMALLEST = 4_096
"""What a file counts at least, so that ten thousand empty files do not make one shard."""


@dataclass(frozen=True)
class Range:
    """A range of a file and the hash of what decides its rows; the file's place on this machine is not part of it."""

    name: str
    path: str
    start: int
    stop: int
    hash: str
    size: int

    @property
    def identity(self) -> list[Any]:
        """What stands for the range in keys."""
        return [self.name, self.start, self.stop, self.hash]

    def to_json(self) -> list[Any]:
        """Return the range as it travels to a worker."""
        return [self.name, self.path, self.start, self.stop, self.hash, self.size]


def group_ranges(files: Iterable[list[Range]], shard_bytes: int) -> Iterator[list[Range]]:
    """Yield shards in input order, each a list of ranges.

    A file above a quarter of the shard size is a shard a range. Smaller neighbours share one. Whether a group ends
    after a file depends on a hash of that file's name and its size alone (about a quarter of the shard size a
    group), so adding, changing or removing a file touches its own group or splits it, never those behind it.
    """
    target = max(1, shard_bytes // 4)
    group: list[Range] = []
    held = 0
    for ranges in files:
        size = sum(one.size for one in ranges)
        if len(ranges) > 1 or size > target:
            if group:
                yield group
            yield from ([one] for one in ranges)
            group, held = [], 0
            continue
        group.extend(ranges)
        held += max(size, SMALLEST)
        if held >= shard_bytes or (ranges and _ends_group(ranges[0].name, max(size, SMALLEST), target)):
            yield group
            group, held = [], 0
    if group:
        yield group


def _ends_group(name: str, size: int, target: int) -> bool:
    return xxhash.xxh3_64_intdigest(name.encode()) < int(size / target * 2**64)
