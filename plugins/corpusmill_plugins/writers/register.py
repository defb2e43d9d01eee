"""Names of the built-in writers."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl

HERE = "corpusmill_plugins.writers"


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.writer("jsonl", f"{HERE}.jsonl:Jsonl", "Write JSON Lines, plain, gzip or zstd, with a dataset card.")
    registry.writer(
        "parquet", f"{HERE}.parquet:Parquet", "Write Parquet that `datasets.load_dataset` reads, with a card."
    )
