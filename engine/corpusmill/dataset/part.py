"""Parts: immutable Arrow files of canonical rows, written once, read memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpusmill.dataset.canonical import Recutter
from corpusmill.dataset.digest import RowDigest
from corpusmill.dataset.disk import remove_file
from corpusmill.dataset.hashing import HashedSink
from corpusmill.dataset.store import FileRef, Store, write_errors


@dataclass(frozen=True)
class Part:
    """What a shard became: the digest of its rows and the file that holds them."""

    digest: str
    rows: int
    file: FileRef

    def to_json(self) -> list[Any]:
        """Return the part as it stands in records."""
        return [self.digest, self.rows, self.file.to_json()]

    @staticmethod
    def from_json(value: list[Any]) -> Part:
        """Read a part from a record."""
        return Part(value[0], value[1], FileRef.from_json(value[2]))


class PartWriter:
    """Builds one part on scratch from rows in any batches; `finish` publishes it.

    The IPC *file* format is used because a cut stream reads as a shorter dataset, in silence.
    """

    def __init__(self, store: Store, schema: pa.Schema, *, codec: str | None = "lz4"):
        self._store, self.schema = store, schema
        self._path = store.scratch(".arrow")
        self._recut, self._digest = Recutter(), RowDigest(schema)
        options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
        with write_errors(store.uri):
            self._sink = HashedSink(self._path)
        self._writer = pa.ipc.new_file(pa.PythonFile(self._sink, "w"), schema, options=options)

    @property
    def value_bytes(self) -> int:
        """Bytes of values in the rows so far, before compression."""
        return self._recut.seen_bytes

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; the batch must have the part's schema."""
        for cut in self._recut.add(batch):
            self._write(cut)

    def finish(self) -> Part:
        """Write what is pending, publish the file and return the part."""
        for cut in self._recut.finish():
            self._write(cut)
        with write_errors(self._store.uri):
            self._writer.close()
        self._sink.close()
        return Part(
            self._digest.hexdigest(), self._digest.rows, self._store.publish(self._path, hashed=self._sink.hashed())
        )

    def abandon(self) -> None:
        """Throw the file away."""
        self._sink.close()
        self._path.unlink(missing_ok=True)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._digest.update(batch)
        with write_errors(self._store.uri):
            self._writer.write_batch(batch)


def read_part(store: Store, file: FileRef, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a part in order, memory-mapped, with only these columns."""
    path = store.path(file)
    with pa.memory_map(str(path)) as source:
        schema = pa.ipc.open_file(source).schema
        options = None
        if columns is not None:
            included = [schema.get_field_index(name) for name in columns]
            options = pa.ipc.IpcReadOptions(included_fields=sorted(included), use_threads=False)
        reader = pa.ipc.open_file(source, options=options)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            yield batch if columns is None else batch.select(list(columns))


def write_table(store: Store, table: pa.Table, *, codec: str | None = "zstd") -> FileRef:
    """Publish a small table (ledger, quarantine, list of parts) as one batch; equal tables give equal files.

    Nothing stays on scratch of one that cannot be written, whatever the reason.
    """
    path = store.scratch(".arrow")
    options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
    try:
        with (
            write_errors(store.uri),
            HashedSink(path) as sink,
            pa.ipc.new_file(pa.PythonFile(sink, "w"), table.schema, options=options) as writer,
        ):
            for batch in table.combine_chunks().to_batches():
                writer.write_batch(batch)
    except BaseException:
        remove_file(path)
        raise
    return store.publish(path, hashed=sink.hashed())


def read_table(store: Store, file: FileRef) -> pa.Table:
    """Read a small table whole."""
    with pa.memory_map(str(store.path(file))) as source:
        return pa.ipc.open_file(source).read_all()
