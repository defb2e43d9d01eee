"""A writer of files without an ending."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa

import corpusmill as mill


class NoSuffix(mill.Writer):
    """Writes JSON Lines."""

    class Options(mill.Writer.Options):
        """Where to."""

        path: str = mill.option(help="folder to publish")

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        for batch in batches:
            sink.writelines(json.dumps(row).encode() + b"\n" for row in batch.to_pylist())


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.writer("no-suffix", NoSuffix, "Broken on purpose.")
