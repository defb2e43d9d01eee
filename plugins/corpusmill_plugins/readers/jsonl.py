"""read.jsonl: one JSON object a line, plain, gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import model_validator

from corpusmill import CorruptFile, InputFile, Reader, ReadLimits, Reject, Slice, option
from corpusmill_plugins.readers.columns import PLACE, ColumnMap, ColumnsOption, column_map
from corpusmill_plugins.readers.json_types import NAMES, TypeName, arrow_type, infer
from corpusmill_plugins.readers.lines import line_blocks, line_ranges
from corpusmill_plugins.readers.parsing import Parser
from corpusmill_plugins.readers.streams import compression, open_plain

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_FILES = 16
SAMPLE_LINES = 1_000
SAMPLE_BYTES = 8_000_000


class Jsonl(Reader):
    """Read JSON Lines.

    Without `columns` only `text` is read. A column missing from a record is null, and so is a text that is null; a
    record without any text key is rejected. Types come from `types`, else from the first 1,000 records of each of
    the first 16 files, and hold for all files: ints are stored in float columns, any other conflict rejects the
    record. `offset` is the byte where the line starts in the decompressed file. A byte order mark is skipped.
    Reasons of rejection: empty, invalid-json, invalid-utf8, lone-surrogate, not-an-object, too-deep, too-large,
    missing-text, type-conflict.
    """

    suffixes = (".jsonl", ".ndjson", ".json", ".gz", ".zst")

    class Options(Reader.Options):
        """Options of read.jsonl."""

        columns: ColumnsOption = option(
            None, help="columns to read: a list, a map OURS: THEIRS, or all (scalars found in the sample); default text"
        )
        types: dict[str, TypeName] = option(
            default_factory=dict, help="types by our names: string, int, float, bool, {list: TYPE}, {struct: {…}}"
        )

        @model_validator(mode="after")
        def _known_types(self) -> Jsonl.Options:
            for name in self.types.values():
                arrow_type(name)
            return self

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self._map: ColumnMap = column_map(
            None if self.options.columns == "all" else self.options.columns, self.options.id
        )
        self._types: dict[str, TypeName] = {"text": "string", **self.options.types}

    def adds(self) -> dict[str, pa.DataType]:
        """Return our columns; a type not yet declared or inferred counts as a string."""
        return {ours: arrow_type(self._types.get(ours, "string")) for ours in self._map}

    def prepare(self, files: list[InputFile]) -> None:
        """Infer the types that are not declared; damaged files are left to `read`."""
        if self.options.columns != "all" and all(ours in self._types for ours in self._map):
            return
        rows = [row for file in files[:SAMPLE_FILES] for row in self._sample(file)]
        if self.options.columns == "all":
            found = dict.fromkeys(["text", *self.options.types, *(name for row in rows for name in row)])
            scalars = {name for name in found if name != PLACE and any(type(row.get(name)) in NAMES for row in rows)}
            self._map = {name: name for name in found if name in scalars or name in self._types}
        for ours, theirs in self._map.items():
            if ours not in self._types:
                self._types[ours] = infer(ours, [row.get(theirs) for row in rows])

    def _sample(self, file: InputFile) -> list[dict[str, Any]]:
        try:
            with open_plain(file, ReadLimits()) as stream:
                lines = stream.read_full(SAMPLE_BYTES).removeprefix(b"\xef\xbb\xbf").split(b"\n")
        except CorruptFile:
            return []
        rows = []
        for line in lines[:SAMPLE_LINES]:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict):
                rows.append(row)
        return rows

    def state(self) -> dict[str, Any]:
        """Return columns and types as they hold for all files."""
        return {"columns": self._map, "types": {ours: self._types[ours] for ours in self._map if ours in self._types}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take columns and types found elsewhere."""
        self._map, self._types = dict(state["columns"]), dict(state["types"])

    def ranges(self, file: InputFile) -> list[tuple[int, int]]:
        """Cut plain files at line starts; compressed ones stay whole."""
        return [(0, file.size)] if compression(file) else line_ranges(file, self.options.shard)

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield about 1 MB of lines a batch."""
        parser = Parser(self._map, {ours: self._types.get(ours, "string") for ours in self._map}, part.limits, reject)
        with open_plain(part.file, part.limits, part.start, part.stop) as stream:
            for block, offset in line_blocks(stream, part.start, part.limits.max_document_bytes, reject):
                batch = parser.batch(block, offset)
                if batch.num_rows:
                    yield batch
