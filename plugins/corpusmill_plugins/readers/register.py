"""Names of the built-in readers."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl

HERE = "corpusmill_plugins.readers"


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.reader("jsonl", f"{HERE}.jsonl:Jsonl", "Read JSON Lines, plain, gzip or zstd.")
    registry.reader("parquet", f"{HERE}.parquet:Parquet", "Read Parquet files by row groups.")
    registry.reader("text", f"{HERE}.text:Text", "Read plain text by file, chapter, paragraph or line.")
    registry.reader("warc", f"{HERE}.warc:Warc", "Read web pages out of WARC archives.", extra="web")
