"""Stand-ins for what the engine hands to global operators: work in a folder, documents and tokens in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Killed(BaseException):
    """What a FakeWork with `kill_after` raises: the process that did the work is gone."""


class FakeWork:
    """A `Work` over a plain folder; after `stop_after` questions `should_stop` says yes, after `kill_after` it kills.

    `output` and `folder` lie below `root`; a second FakeWork over the same root is a restart: what `unit` and
    `checkpoint` left is still there, `output` is empty. `recorded` holds (step, values) of `metrics`, `asked` counts
    the questions.
    """

    def __init__(
        self,
        root: Path,
        *,
        seed: int = 7,
        stop_after: int | None = None,
        kill_after: int | None = None,
        threads: int = 1,
    ):
        self.root, self.output, self.folder = root, root / "output", root / "folder"
        _empty(self.output)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seed, self.device, self.threads = seed, "cpu", threads
        self.stop_after, self.kill_after, self.asked = stop_after, kill_after, 0
        self.recorded: list[tuple[int, dict[str, float]]] = []
        self.told: list[tuple[int, int]] = []

    def unit(self, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder that `make` filled under this key, now or before a restart."""
        return self._once(self.folder / "units" / _name(key), make)

    def metrics(self, step: int, **values: float) -> None:
        """Record numbers."""
        self.recorded.append((step, values))

    def progress(self, done: int, total: int) -> None:
        """Record how far the work is."""
        self.told.append((done, total))

    def should_stop(self) -> bool:
        """True once it was asked often enough."""
        self.asked += 1
        if self.kill_after is not None and self.asked > self.kill_after:
            raise Killed
        return self.stop_after is not None and self.asked > self.stop_after

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        """Publish a checkpoint; it exists whole or not at all."""
        self._once(self.folder / "checkpoints" / f"{step:012d}", save)

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint."""
        return max((self.folder / "checkpoints").glob("[0-9]*"), default=None)

    def files(self) -> dict[str, bytes]:
        """Return the files of the output by relative name."""
        paths = sorted(path for path in self.output.rglob("*") if path.is_file())
        return {path.relative_to(self.output).as_posix(): path.read_bytes() for path in paths}

    def _once(self, target: Path, make: Callable[[Path], None]) -> Path:
        if not target.is_dir():
            beside = target.with_name(f".{target.name}")
            _empty(beside)
            make(beside)
            os.replace(beside, target)
        return target


class FakeDocuments:
    """A `DocumentsInput` over one batch of rows.

    `batch_rows` rows come at a time, as slices. Rows may have a column `split`. `asked` collects the columns that
    were asked for; asking for all columns at once is noted as "*".
    """

    def __init__(self, rows: pa.RecordBatch, *, batch_rows: int = 7, digest: str = "d" * 32):
        self._rows, self.batch_rows = rows, batch_rows
        self.schema, self.rows, self.digest = rows.schema, rows.num_rows, digest
        labels = rows.column("split").to_pylist() if "split" in rows.schema.names else []
        self.splits = {label: labels.count(label) for label in dict.fromkeys(labels)}
        self.asked: set[str] = set()

    def batches(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, of one split label if given."""
        self.asked |= {"*"} if columns is None else set(columns)
        rows = self._rows
        if split is not None:
            rows = rows.filter(pc.equal(rows.column("split"), split))
        if columns is not None:
            rows = rows.select(list(columns))
        for start in range(0, rows.num_rows, self.batch_rows):
            yield rows.slice(start, self.batch_rows)


class FakeWindows:
    """`Windows` over one stream of ids."""

    def __init__(self, ids: Sequence[int], window: int):
        self.ids, self.window = np.asarray(ids, np.int64), window

    def __len__(self) -> int:
        return max(0, -(-(len(self.ids) - 1) // self.window))

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return int64 (windows,): ids in each window."""
        starts = np.arange(len(self)) * self.window
        return np.minimum(self.window + 1, len(self.ids) - starts)

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return int64 (n, window + 1), padded with -1."""
        places = np.asarray(indices, np.int64)[:, None] * self.window + np.arange(self.window + 1)
        return np.where(places < len(self.ids), self.ids[np.minimum(places, len(self.ids) - 1)], -1)


@dataclass(frozen=True)
class FakeSplit:
    """Counts of one split of packed tokens."""

    windows: int
    tokens: int
    text_bytes: int
    documents: int


@dataclass(frozen=True)
class FakeArtifact:
    """A tokenizer, a model or metrics bound to a port."""

    path: Path
    digest: str
    values: dict[str, Any] = field(default_factory=dict)


class FakeTokens:
    """A `TokensInput` over streams of ids by split; `splits` has all of them."""

    def __init__(
        self, streams: Mapping[str, Sequence[int]], window: int, vocabulary_size: int, tokenizer: FakeArtifact
    ):
        self._streams, self.window, self.vocabulary_size = streams, window, vocabulary_size
        self.tokenizer, self.digest = tokenizer, "t" * 32
        self.splits = {label: self._split(label) for label in streams}
        self.all_splits = self.splits

    def windows(self, split: str) -> FakeWindows:
        """Return the windows of one split."""
        return FakeWindows(self._streams[split], self.window)

    def _split(self, label: str) -> FakeSplit:
        ids = self._streams[label]
        return FakeSplit(len(self.windows(label)), len(ids), 4 * len(ids), 1)


def _empty(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _name(key: str) -> str:
    import hashlib

    return hashlib.sha256(key.encode()).hexdigest()[:24]
