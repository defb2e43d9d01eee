"""The quarantine of one shard: bad records as they stood (capped), with place and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

RAW_BYTES = 4_096
"""How much of a bad record is kept."""

READER = -1
"""The `step` of records that the reader rejected."""

KEPT = ("id", "file", "offset", "text")
"""What is kept of a document."""

SCHEMA = pa.schema(
    [
        ("file", pa.large_string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("id", pa.string()),
        ("step", pa.int16()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.large_binary()),
    ]
)

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("detail", pa.string()),
        ("file", pa.large_string()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        ("source", pa.large_string()),
    ]
)
"""The `quarantine` output of a reader: what is left of each record (undecodable bytes replaced) and why."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


class Quarantine:
    """Collects bad records; the table comes out sorted by place, so batches and workers leave no trace."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(
        self,
        *,
        file: str,
        offset: int,
        reason: str,
        detail: str = "",
        raw: bytes = b"",
        length: int | None = None,
        id: str | None = None,  # noqa: A002 - the column's name
        step: int = READER,
    ) -> None:
        """Add one record; `length` is its true size in bytes where `raw` was capped before."""
        self.rows.append(
            {
                "file": file,
                "offset": offset,
                "length": len(raw) if length is None else length,
                "id": id,
                "step": step,
                "reason": reason,
                "detail": stable_text(detail),
                "raw": raw[:RAW_BYTES],
            }
        )

    def add_document(self, document: Mapping[str, Any], *, reason: str, detail: str, step: int) -> None:
        """Add a document as it stood, by the names of its columns: those of `KEPT` that it has."""
        self.add(
            file=document.get("file") or "",
            offset=document.get("offset") or 0,
            id=document.get("id"),
            reason=reason,
            detail=detail,
            raw=(document.get("text") or "").encode(),
            step=step,
        )

    def table(self) -> pa.Table:
        """Return all records sorted by file, offset and step, those of one place by what they are."""
        self.rows.sort(key=lambda row: (row["file"], row["offset"], row["step"], row["id"] or "", _content(row)))
        return pa.Table.from_pylist(self.rows, schema=SCHEMA)


def as_documents(table: pa.Table) -> pa.Table:
    """Return quarantined records as documents, so that a step can look at them."""
    texts = [raw.decode("utf-8", "replace") for raw in table["raw"].to_pylist()]
    columns = {name: table[name] for name in DOCUMENTS.names if name not in ("text", "source")}
    columns |= {"text": pa.array(texts, pa.large_string()), "source": table["file"]}
    return pa.table({name: columns[name] for name in DOCUMENTS.names}, schema=DOCUMENTS)


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["reason"], row["detail"], row["length"], row["raw"]


def stable_text(text: str) -> str:
    """Return an error text without memory addresses: reasons are part of the bytes and must not vary."""
    return _ADDRESS.sub("0x…", text)[:1_000]
