"""A writer that starts every batch with a line of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa

import corpusmill as mill


class BatchHeaders(mill.Writer):
    """Writes JSON Lines."""

    class Options(mill.Writer.Options):
        """Where to."""

        path: str = mill.option(help="folder to publish")

    suffix = ".jsonl"

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        for batch in batches:
            sink.write(b"\n")
            sink.writelines(json.dumps(row).encode() + b"\n" for row in batch.to_pylist())


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.writer("batch-headers", BatchHeaders, "Broken on purpose.")
