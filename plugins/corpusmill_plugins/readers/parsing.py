"""Blocks of JSON lines to record batches: a fast way for blocks without a fault, a careful one for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from corpusmill import ReadLimits, Reject
from corpusmill_plugins.readers.columns import ColumnMap
from corpusmill_plugins.readers.json_types import FITTING, TypeName, arrow_type, fits, json_kind
from corpusmill_plugins.readers.lines import HEAD

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NESTED = frozenset({dict, list})
Rows = list[dict[str, Any]]


class Parser:
    """Parses blocks under fixed columns and types.

    Both ways must accept the same records: a block with one fault gives the rows it would give without it.
    """

    def __init__(self, columns: ColumnMap, types: dict[str, TypeName], limits: ReadLimits, reject: Reject):
        import pyarrow as pa

        self._columns, self._types, self._limits, self._reject = columns, types, limits, reject
        self._arrow = {ours: arrow_type(types[ours]) for ours in columns}
        self._schema = pa.schema([*self._arrow.items(), ("offset", pa.int64())])

    def batch(self, block: bytes, offset: int) -> pa.RecordBatch:
        """Return the good records of whole lines; `offset`: position of the block's first byte."""
        import numpy as np
        import pyarrow as pa

        if offset == 0 and block.startswith(BYTE_ORDER_MARK):
            block, offset = block[len(BYTE_ORDER_MARK) :], len(BYTE_ORDER_MARK)
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        ends = np.cumsum(lengths + 1) + offset
        places = ends - lengths - 1
        rows = self._parse_all(lines, lengths)
        arrays = None if rows is None else self._arrays(rows)
        if arrays is None:
            rows, places = self._parse_each(lines, places)
            arrays = self._arrays(rows)
            assert arrays is not None, "rows that were checked one by one fit their types"
        return pa.RecordBatch.from_arrays([*arrays, pa.array(places)], schema=self._schema)

    def _parse_all(self, lines: list[bytes], lengths: npt.NDArray[np.int64]) -> Rows | None:
        """Return the parsed lines, or None if any one needs a closer look."""
        if int(lengths.max(initial=0)) > self._limits.max_document_bytes:
            return None
        try:
            rows: Rows = list(map(orjson.loads, lines))
        except orjson.JSONDecodeError:
            return None
        if not set(map(type, rows)) <= {dict}:
            return None
        deepest = self._limits.max_json_depth
        # A level needs two brackets, so short lines cannot be deep; nor can rows without nested values.
        for index in (lengths > 2 * deepest).nonzero()[0].tolist():
            row, line = rows[index], lines[index]
            if NESTED.isdisjoint(map(type, row.values())) or line.count(b"[") + line.count(b"{") <= deepest:
                continue
            if _depth(row) > deepest:
                return None
        return rows

    def _arrays(self, rows: Rows) -> list[pa.Array] | None:
        """Return one array a column, or None if a value does not fit."""
        import pyarrow as pa

        arrays = []
        for ours, theirs in self._columns.items():
            name = self._types[ours]
            try:
                values = [row[theirs] for row in rows] if ours == "text" else [row.get(theirs) for row in rows]
            except KeyError:
                return None
            if isinstance(name, str):
                if not set(map(type, values)) <= FITTING[name]:
                    return None
            elif not all(fits(value, name) for value in values):
                return None
            try:
                arrays.append(pa.array(values, type=self._arrow[ours]))
            except (pa.ArrowInvalid, OverflowError):
                return None
        return arrays

    def _parse_each(self, lines: list[bytes], places: Any) -> tuple[Rows, Any]:
        """Judge line by line; return the good rows and their places, and reject the others."""
        import numpy as np

        rows, good = [], np.zeros(len(lines), np.bool_)
        for index, line in enumerate(lines):
            row, reason, detail = self._judge(line)
            if row is None:
                self._reject(line[:HEAD], int(places[index]), reason, detail, length=len(line))
            else:
                rows.append(row)
                good[index] = True
        return rows, places[good]

    def _judge(self, line: bytes) -> tuple[dict[str, Any] | None, str, str]:
        limit = self._limits.max_document_bytes
        if len(line) > limit:
            return None, "too-large", f"{len(line)} bytes, at most {limit}"
        if not line.strip():
            return None, "empty", ""
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return None, *_why_not_json(line, error)
        if not isinstance(row, dict):
            return None, "not-an-object", json_kind(row)
        if _depth(row) > self._limits.max_json_depth:
            return None, "too-deep", f"more than {self._limits.max_json_depth} levels"
        return self._judge_values(row)

    def _judge_values(self, row: dict[str, Any]) -> tuple[dict[str, Any] | None, str, str]:
        if self._columns["text"] not in row:
            return None, "missing-text", f"no key {self._columns['text']!r}"
        for ours, theirs in self._columns.items():
            value = row.get(theirs)
            if not fits(value, self._types[ours]):
                return None, "type-conflict", f"column {ours!r} is {self._types[ours]}, here {json_kind(value)}"
        return row, "", ""


def _why_not_json(line: bytes, error: orjson.JSONDecodeError) -> tuple[str, str]:
    """Return reason and detail of a line that orjson refuses."""
    try:
        line.decode()
    except UnicodeDecodeError as broken:
        return "invalid-utf8", f"{broken.reason} at byte {broken.start} of the line"
    if "surrogate" in error.msg:
        return "lone-surrogate", str(error)
    if "depth" in error.msg or "recursion" in error.msg:
        return "too-deep", str(error)
    return "invalid-json", str(error)


def _depth(value: Any) -> int:
    """Return how deep lists and objects nest; level by level, so that it cannot overflow the stack."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth
