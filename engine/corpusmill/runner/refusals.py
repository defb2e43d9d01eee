"""Rows of a part that a deduplicator fails on, as the record of a unit tells them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from corpusmill.dataset.part import write_table
from corpusmill.ledger.quarantine import stable_text
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.concealed import concealed_table
from corpusmill.runner.workspace import Workspace

REFUSED = pa.schema([("row", pa.uint32()), ("reason", pa.string()), ("detail", pa.string())])
"""Rows of a part, in order, each with what became of the operator on it."""


class Refusals:
    """Collects them; what they mean is up to the driver, who knows which rows of the part count."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
        self._rows: list[tuple[int, str, str]] = []

    def take(self, step: int, row: Chunk, reason: str, detail: str) -> None:
        """Take a row that a guard rejects."""
        self.add(int(row.rows[0]), reason, detail)

    def add(self, row: int, reason: str, detail: str) -> None:
        """Add one."""
        self._rows.append((row, reason, stable_text(detail)))

    def told(self) -> dict[str, Any]:
        """Return `refused`, the file of them, and `failed`, why and how often: nothing where there are none."""
        if not self._rows:
            return {}
        columns = zip(*sorted(self._rows), strict=True)
        arrays = [pa.array(one, field.type) for one, field in zip(columns, REFUSED, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=REFUSED)
        table = concealed_table(table, ("reason", "detail"), self._workspace.secrets)
        reasons = Counter(table["reason"].to_pylist())
        return {
            "refused": write_table(self._workspace.store, table).to_json(),
            "failed": dict(sorted(reasons.items())),
        }
