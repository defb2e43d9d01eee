"""Datasets for Python: documents of a store, streamed or taken whole, in the forms that other libraries know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from corpusmill.dataset.manifest import Dataset as Stored
from corpusmill.dataset.manifest import Entry, entry_rows
from corpusmill.errors import UsageError, nearest
from corpusmill.face.conversion import needed

if TYPE_CHECKING:
    import datasets
    import pandas
    import torch.utils.data


@dataclass(frozen=True)
class Dataset:
    """Documents of a store, opened with `corpusmill.open`. Nothing is read before rows are asked for.

    A dataset does not change: `split` and `select` return narrower ones over the same files. Every reading verifies
    the checksum of a file before its first use. Rows come in the order of the input.
    """

    stored: Stored
    label: str | None = None
    """The split label that this dataset is narrowed to."""
    selected: tuple[str, ...] | None = None
    """The columns it is narrowed to, in this order; None for all."""

    def __len__(self) -> int:
        """The number of documents, without reading any."""
        return self.stored.rows if self.label is None else self.stored.splits[self.label]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield one dict a document, column -> Python value; `batches` is much faster."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def __repr__(self) -> str:
        splits = f", splits {self.splits}" if self.splits else ""
        label = f", split {self.label!r}" if self.label is not None else ""
        return (
            f"<corpusmill.Dataset {self.digest[:12]}: {len(self)} documents, {', '.join(self.columns)}{label}{splits}>"
        )

    @property
    def digest(self) -> str:
        """What names the whole dataset's content: the same digest, the same rows."""
        return self.stored.digest

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the rows."""
        return pa.schema([self.stored.schema.field(name) for name in self.columns])

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.stored.schema.names) if self.selected is None else self.selected

    @property
    def splits(self) -> dict[str, int]:
        """Split label -> documents; empty for a dataset without labels, and for one that is narrowed to a label."""
        return {} if self.label is not None else self.stored.splits

    def split(self, label: str) -> Dataset:
        """Return the documents of one split. Raises UsageError for a label that is not there, with the nearest."""
        if label not in self.splits:
            near = nearest(label, self.splits)
            raise UsageError(
                f"no split {label!r}",
                where=repr(self),
                expected=f"one of {', '.join(self.splits)}" if self.splits else "a dataset that has split labels",
                hint=f"did you mean {near!r}?" if near else "a step of kind `split` labels documents",
            )
        return replace(self, label=label)

    def select(self, columns: Sequence[str]) -> Dataset:
        """Return the dataset with these columns in this order; the others are not read. Raises UsageError."""
        wanted = (columns,) if isinstance(columns, str) else tuple(columns)
        for name in wanted:
            if name not in self.columns:
                near = nearest(name, self.columns)
                raise UsageError(
                    f"no column {name!r}",
                    where=repr(self),
                    expected=f"columns among {', '.join(self.columns)}",
                    hint=f"did you mean {near!r}?" if near else None,
                )
        return replace(self, selected=wanted)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the documents as Arrow batches of at most 8 MiB or 8,192 rows (a larger document is its own batch).

        One batch is in memory at a time, whatever the size of the dataset.
        """
        for entry in self.stored.entries:
            yield from rows_of(self, entry)

    def head(self, rows: int = 5) -> pa.Table:
        """Return the first documents as a table, reading no more than they need."""
        taken: list[pa.RecordBatch] = []
        left = rows
        for batch in self.batches() if rows > 0 else ():
            taken.append(batch.slice(0, left))
            left -= taken[-1].num_rows
            if left <= 0:
                break
        return pa.Table.from_batches(taken, schema=self.schema)

    def to_arrow(self) -> pa.Table:
        """Return all documents as one table, in memory. For what does not fit there is `batches`."""
        return pa.Table.from_batches(list(self.batches()), schema=self.schema)

    def to_pandas(self) -> pandas.DataFrame:
        """Return all documents as a DataFrame, in memory. Raises UsageError where pandas is not installed."""
        needed("pandas", "to_pandas()")
        return self.to_arrow().to_pandas()

    def to_hf(self, *, streaming: bool = False) -> datasets.Dataset | datasets.IterableDataset:
        """Return a dataset of Hugging Face `datasets`; raises UsageError where that is not installed.

        All of it in memory, or with `streaming=True` an IterableDataset that reads file by file, in any of its
        workers. Nothing is written to the cache of `datasets`.
        """
        needed("datasets", "to_hf()")
        from corpusmill.face.conversion import hf_dataset, hf_stream

        return hf_stream(self) if streaming else hf_dataset(self)

    def to_torch(self, *, rank: int = 0, world_size: int = 1) -> torch.utils.data.IterableDataset[dict[str, Any]]:
        """Return a torch IterableDataset of dicts, column -> Python value; raises UsageError without torch.

        It streams. Files are dealt out over `world_size` processes and over the workers of a DataLoader, so that
        each document comes exactly once among them. The default collation of a DataLoader takes numbers and texts
        but no nulls: `select` the columns that a model needs.
        """
        needed("torch", "to_torch()", "corpusmill[train]")
        from corpusmill.face.torch_data import stream

        return stream(self, rank, world_size)

    def to_ray(self) -> Any:
        """Return a `ray.data.Dataset` with one block a file of the store, read by the tasks that need it.

        Only references go through Ray, so the store must be at the same place on every node. Joins the cluster that
        is connected, or starts a local one that listens on loopback only. Raises UsageError where pandas, which Ray
        Data imports, is not installed.
        """
        needed("pandas", "to_ray()")
        from corpusmill.runner.ray_data import ray_dataset

        return ray_dataset(self.stored, self.columns, self.label)


def rows_of(dataset: Dataset, entry: Entry) -> Iterator[pa.RecordBatch]:
    """Yield the batches of one part of a dataset, narrowed to its columns and split."""
    yield from entry_rows(dataset.stored.store, entry, dataset.schema, dataset.label)
