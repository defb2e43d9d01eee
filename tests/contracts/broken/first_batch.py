"""A writer that needs a first batch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa

import corpusmill as mill


class FirstBatch(mill.Writer):
    """Writes JSON Lines."""

    class Options(mill.Writer.Options):
        """Where to."""

        path: str = mill.option(help="folder to publish")

    suffix = ".jsonl"

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        batches = list(batches)
        rows = batches[0].schema.names
        for batch in batches:
            sink.writelines(json.dumps(row).encode() + b"\n" for row in batch.select(rows).to_pylist())


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.writer("first-batch", FirstBatch, "Broken on purpose.")
