"""What the engine hands to global operators: inputs to read from and a place to work in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class DocumentsInput(Protocol):
    """A dataset bound to a documents port."""

    digest: str
    rows: int
    schema: pa.Schema
    splits: Mapping[str, int]
    """Split label -> rows; empty for a dataset without labels."""

    def batches(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the selected rows in order, at most a few MB a batch; `split` restricts to one label."""


class TokenizerInput(Protocol):
    """A tokenizer bound to a port: `path` is a folder with `tokenizer.json`."""

    digest: str
    path: Path


class ModelInput(Protocol):
    """A model bound to a port: `path` is a folder that `from_pretrained` loads."""

    digest: str
    path: Path


class TokensInput(Protocol):
    """Packed tokens bound to a port.

    `window`: predicted tokens in a full window; a window holds up to `window + 1` ids, the last id of one is the
    first of the next, so that each token but a document stream's very first is predicted exactly once.
    """

    digest: str
    window: int
    vocabulary_size: int
    splits: Mapping[str, Any]
    """Label -> object with `windows`, `tokens`, `text_bytes`, `documents` (ints). Unlabelled data has the label ''."""
    tokenizer: TokenizerInput

    def windows(self, split: str) -> Windows:
        """Return random access to the windows of one split."""


class Windows(Protocol):
    """Windows of one split, memory-mapped."""

    def __len__(self) -> int: ...

    def lengths(self) -> npt.NDArray[np.int64]:
        """Ids in each window: `window + 1`, less only where a stream ends."""

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return int64 (n, window + 1), padded with -1 after a short window's end."""


class MetricsInput(Protocol):
    """Metrics bound to a port: `values` is the JSON an evaluator left."""

    digest: str
    values: Mapping[str, Any]


class Work(Protocol):
    """Where a global operator works.

    `output`: the folder whose files become the artifact. `folder`: scratch that survives a restart of the same
    work. `device`: `cpu` or `cuda`. `threads`: how many to use.
    """

    output: Path
    folder: Path
    seed: int
    device: str
    threads: int

    def unit(self, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder that `make` filled under this key, now or before a restart; committed when complete."""

    def metrics(self, step: int, **values: float) -> None:
        """Record numbers for this step of the work; the journal, progress and the report read them."""

    def progress(self, done: int, total: int) -> None:
        """Say how far the work is; shown as the stage's progress."""

    def should_stop(self) -> bool:
        """True once the user asked to stop: save what is needed and return."""

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        """Publish a checkpoint atomically: `save` fills a folder, which then exists whole or not at all."""

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint of this very work, or None."""
