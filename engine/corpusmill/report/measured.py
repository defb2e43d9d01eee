"""Looking at what a filter measured: the range of each signal, and the first rows of kept values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusmill.report.inspection import Inspection
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import kept_values


def look_at_signals(record: RunRecord, step: str, told: Mapping[str, Any], rows: int) -> Inspection:
    """Return what a step measured over a whole run; where it kept values, the first `rows` of them."""
    facts: dict[str, Any] = {"run": f"{record.name}@{record.timestamp}", "status": record.status}
    facts |= {"uses": told.get("uses", ""), "values": "not kept (with: {signals: keep} keeps them)"}
    first: list[Mapping[str, Any]] = []
    columns: list[tuple[str, str]] = []
    kept = 0
    for table in kept_values(record, step):
        columns = columns or [(item.name, str(item.type)) for item in table.schema]
        first += table.slice(0, rows - len(first)).to_pylist()
        kept += table.num_rows
    if columns:
        facts["values"] = f"kept of {kept} documents"
    return Inspection(f"signals of {step}", facts, columns, first, signals=told)
