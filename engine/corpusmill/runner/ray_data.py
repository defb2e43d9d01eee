"""Datasets of a store as Ray datasets: one block a part, read by the task that needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import ray
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from corpusmill.dataset.manifest import Dataset, Entry, entry_rows
from corpusmill.dataset.store import Store
from corpusmill.runner.ray_executor import connect


def ray_dataset(dataset: Dataset, columns: Sequence[str], split: str | None) -> Any:
    """Return a lazy Ray dataset of these columns, of one split if given."""
    connect(None, None, foreign_code=True)
    return ray.data.read_datasource(StoreDatasource(dataset, columns, split))


class StoreDatasource(Datasource):  # type: ignore[misc]
    """Hands out references to the parts of a dataset; tasks open the store themselves."""

    def __init__(self, dataset: Dataset, columns: Sequence[str], split: str | None):
        super().__init__()
        self._uri, self._entries = dataset.store.uri, dataset.entries
        self._split = split
        self._schema = pa.schema([dataset.schema.field(name) for name in columns])

    def get_name(self) -> str:
        """Return the name that Ray shows."""
        return "corpusmill"

    def estimate_inmemory_data_size(self) -> int | None:
        """Return the stored bytes: texts are about twice as large in memory."""
        return sum(entry.part.file.bytes for entry in self._entries)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return one task a part, however much parallelism is asked for: a part is bounded, and read as a whole."""
        return [self._task(entry, per_task_row_limit) for entry in self._entries]

    def _task(self, entry: Entry, limit: int | None) -> ReadTask:
        rows = entry.rows if self._split is None else entry.splits.get(self._split, 0)
        metadata = BlockMetadata(num_rows=rows, size_bytes=entry.part.file.bytes, exec_stats=None, input_files=None)
        read = _reading(self._uri, entry, self._split, self._schema)
        return ReadTask(read, metadata, schema=self._schema, per_task_row_limit=limit)


def _reading(uri: str, entry: Entry, split: str | None, schema: pa.Schema) -> Callable[[], Iterator[pa.Table]]:
    """Return what a task calls; it carries the part's reference, never its rows."""

    def read() -> Iterator[pa.Table]:
        empty = True
        for batch in entry_rows(Store(uri), entry, schema, split):
            empty = False
            yield pa.Table.from_batches([batch])
        if empty:
            yield schema.empty_table()

    return read
