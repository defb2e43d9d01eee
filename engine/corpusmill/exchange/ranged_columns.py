"""Columns of a file on an object store: the blocks that hold the wanted rows are fetched, not the file."""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.exchange.column_file import batch_columns

Read = Callable[[int, int], bytes]

BLOCK_BYTES = 256 << 10
"""Bytes of rows fetched together: what a request costs in time is about what this much costs to transfer."""
CACHE_BYTES = 256 << 20
_ENDS = 64 << 10
_LONGEST = 64
"""Blocks that one request may span."""
_THREADS = 8


class BlockCache:
    """The blocks used last, up to a number of bytes; shared by all files of a unit."""

    def __init__(self, limit: int = CACHE_BYTES):
        self._limit, self._held = limit, 0
        self._blocks: OrderedDict[tuple[Any, ...], npt.NDArray[Any]] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> npt.NDArray[Any] | None:
        """Return a block, which becomes the one used last."""
        if key in self._blocks:
            self._blocks.move_to_end(key)
        return self._blocks.get(key)

    def put(self, key: tuple[Any, ...], block: npt.NDArray[Any]) -> None:
        """Keep a block; those not used for longest make room."""
        self._blocks[key] = block
        self._held += block.nbytes
        while self._held > self._limit:
            self._held -= self._blocks.popitem(last=False)[1].nbytes


@dataclass(frozen=True)
class _Column:
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def stride(self) -> int:
        return int(self.dtype.itemsize * np.prod(self.shape[1:], dtype=np.int64))

    @property
    def block_rows(self) -> int:
        return max(1, BLOCK_BYTES // self.stride)


class RangedColumns:
    """A column file of `size` bytes behind `read(start, stop)`; only its two ends are read to open it.

    What is fetched in parts cannot be held against the checksum of the whole: the transport's has to do.
    """

    def __init__(self, name: str, size: int, read: Read, cache: BlockCache):
        self._name, self._size, self._read, self._cache = name, size, read, cache

    @property
    def names(self) -> set[str]:
        """Names of the columns."""
        return set(self._layout)

    def length(self, name: str) -> int:
        """Return how many rows the column has."""
        return self._layout[name].shape[0]

    def block_rows(self, name: str) -> int:
        """Return how many rows of the column a block holds; the last may hold fewer."""
        return self._layout[name].block_rows

    def block(self, name: str, number: int) -> npt.NDArray[Any]:
        """Return one block."""
        return next(self._blocks(name, self._layout[name], np.array([number])))[1]

    def slice(self, name: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Return the rows `start` to `stop`, fetched past the cache."""
        return self._range(self._layout[name], start, stop)

    def take(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the values of rows in any order, repeats allowed; they are fetched sorted, neighbours at once."""
        column = self._layout[name]
        wanted, inverse = np.unique(rows, return_inverse=True)
        if wanted.size and not 0 <= int(wanted[0]) <= int(wanted[-1]) < column.shape[0]:
            raise IndexError(f"rows {int(wanted[0])} to {int(wanted[-1])} of {column.shape[0]}")
        gathered = np.empty((wanted.size, *column.shape[1:]), column.dtype)
        for number, block in self._blocks(name, column, np.unique(wanted // column.block_rows)):
            first = number * column.block_rows
            start, stop = np.searchsorted(wanted, [first, first + column.block_rows])
            gathered[start:stop] = block[wanted[start:stop] - first]
        return gathered[inverse]

    def _blocks(
        self, name: str, column: _Column, numbers: npt.NDArray[np.int64]
    ) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield (number, rows) of blocks, from the cache or fetched, neighbours with one request."""
        missing = []
        for number in numbers.tolist():
            block = self._cache.get((self._name, name, number))
            if block is None:
                missing.append(number)
            else:
                yield number, block
        spans = list(_spans(missing))
        with ThreadPoolExecutor(_THREADS) as pool:
            fetched = pool.map(lambda span: self._fetch(column, *span), spans)
            for (first, last), values in zip(spans, fetched, strict=True):
                for number in range(first, last + 1):
                    start = (number - first) * column.block_rows
                    block = values[start : start + column.block_rows]
                    # A copy: a view would keep the whole request alive for as long as one block of it is used.
                    self._cache.put((self._name, name, number), block.copy())
                    yield number, block

    def _fetch(self, column: _Column, first: int, last: int) -> npt.NDArray[Any]:
        stop = min((last + 1) * column.block_rows, column.shape[0])
        return self._range(column, first * column.block_rows, stop)

    def _range(self, column: _Column, start: int, stop: int) -> npt.NDArray[Any]:
        first, last = (column.offset + row * column.stride for row in (start, stop))
        data = self._read(first, last) if first < last else b""
        return np.frombuffer(data, column.dtype).reshape(stop - start, *column.shape[1:])

    @cached_property
    def _layout(self) -> dict[str, _Column]:
        """Find where columns lie: Arrow reads a map of the file's size in which only both ends are filled."""
        ends = min(_ENDS, self._size)
        with mmap.mmap(-1, self._size) as hollow:
            hollow[:ends] = self._read(0, ends)
            hollow[self._size - ends :] = self._read(self._size - ends, self._size)
            buffer = pa.py_buffer(hollow)
            layout = {
                name: _Column(values.__array_interface__["data"][0] - buffer.address, values.dtype, values.shape)
                for name, values in batch_columns(pa.ipc.open_file(buffer).get_batch(0)).items()
            }
            del buffer
        return layout


def _spans(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of runs of neighbours in ascending numbers, not too long for one request."""
    start = 0
    for place in range(1, len(numbers) + 1):
        ends = place == len(numbers) or numbers[place] != numbers[place - 1] + 1 or place - start >= _LONGEST
        if ends:
            yield numbers[start], numbers[place - 1]
            start = place
