"""torch datasets over what a store holds: a stream of documents, and windows of tokens by number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusmill.errors import UsageError
from corpusmill.face.dataset import Dataset, rows_of

if TYPE_CHECKING:
    from corpusmill.face.tokens import TokenDataset

IGNORED = -100
"""The label that losses of torch and transformers leave out."""


def stream(dataset: Dataset, rank: int = 0, world_size: int = 1) -> Any:
    """Return a torch IterableDataset of one process's share of the documents; it pickles, so workers can be spawned."""
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank} of {world_size} processes", expected="0 <= rank < world_size")
    return _stream_class()(dataset, rank, world_size)


def windows(tokens: TokenDataset) -> Any:
    """Return a torch Dataset of the windows of one split."""
    return _windows_class()(tokens)


@cache
def _stream_class() -> type[Any]:
    """Make the class when it is first needed: importing torch takes seconds."""
    from torch.utils.data import IterableDataset, get_worker_info

    class DocumentStream(IterableDataset):  # type: ignore[misc]
        """Documents as dicts; parts are dealt out to processes and their workers in turn."""

        def __init__(self, dataset: Dataset, rank: int, world_size: int):
            self.dataset, self.rank, self.world_size = dataset, rank, world_size

        def __iter__(self) -> Iterator[dict[str, Any]]:
            worker = get_worker_info()
            workers, number = (worker.num_workers, worker.id) if worker is not None else (1, 0)
            turn, turns = self.rank * workers + number, self.world_size * workers
            for place, (part, rows) in enumerate(_pieces(self.dataset, turns)):
                if place % turns == turn:
                    yield from _documents(self.dataset, part, rows)

        def __reduce__(self) -> tuple[Any, ...]:
            return stream, (self.dataset, self.rank, self.world_size)

    return DocumentStream


@cache
def _windows_class() -> type[Any]:
    import torch
    from torch.utils.data import Dataset as TorchDataset

    class TokenWindowsDataset(TorchDataset):  # type: ignore[misc]
        """Windows of tokens by number, memory-mapped."""

        def __init__(self, tokens: TokenDataset):
            self.tokens, self._windows = tokens, tokens.windows()

        def __len__(self) -> int:
            return len(self._windows)

        def __getitem__(self, index: int) -> dict[str, Any]:
            return self.__getitems__([index])[0]

        def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
            size = len(self)
            places = np.array([index + size if index < 0 else index for index in indices], np.int64)
            if ((places < 0) | (places >= size)).any():
                raise IndexError(f"window {indices} of {size}")
            ids = torch.from_numpy(self._windows.take(places))
            there = ids >= 0
            labels = ids.masked_fill(~there, IGNORED)
            rows = zip(ids.clamp(min=0), there.to(torch.int64), labels, strict=True)
            return [{"input_ids": one, "attention_mask": mask, "labels": label} for one, mask, label in rows]

        def __reduce__(self) -> tuple[Any, ...]:
            return windows, (self.tokens,)

    return TokenWindowsDataset


def _pieces(dataset: Dataset, turns: int) -> list[tuple[int, slice]]:
    """Cut the dataset into pieces to deal out: whole parts, or, where there are too few of them, runs of batches."""
    parts = range(len(dataset.stored.entries))
    if turns <= len(parts):
        return [(part, slice(None)) for part in parts]
    return [(part, slice(start, None, turns)) for part in parts for start in range(turns)]


def _documents(dataset: Dataset, part: int, batches: slice) -> Iterator[dict[str, Any]]:
    step, start = batches.step or 1, batches.start or 0
    for number, batch in enumerate(rows_of(dataset, dataset.stored.entries[part])):
        if number % step == start:
            yield from batch.to_pylist()
