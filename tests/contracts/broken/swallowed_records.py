"""A reader that leaves broken records out without a word."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

import corpusmill as mill


class SwallowedRecords(mill.Reader):
    """Reads JSON Lines."""

    suffixes = (".jsonl",)

    def ranges(self, file: mill.InputFile) -> list[tuple[int, int]]:
        with file.open() as stream:
            data = stream.read()
        cuts = [0, *(at + 1 for at in range(len(data)) if data[at] == 10)]
        chosen = [0]
        for cut in cuts:
            if cut - chosen[-1] >= self.options.shard:
                chosen.append(cut)
        ends = [*chosen[1:], file.size]
        return list(zip(chosen, ends, strict=True))

    def read(self, part: mill.Slice, reject: mill.Reject) -> Any:
        with part.file.open() as stream:
            stream.seek(part.start)
            data = stream.read(part.stop - part.start)
        texts, offsets, at = [], [], 0
        for line in data.splitlines(keepends=True):
            try:
                texts.append(json.loads(line)["text"])
                offsets.append(part.start + at)
            except ValueError:
                pass
            at += len(line)
        columns = {"text": pa.array(texts, pa.large_string()), "offset": pa.array(offsets, pa.int64())}
        yield pa.RecordBatch.from_pydict(columns)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.reader("swallowed-records", SwallowedRecords, "Broken on purpose.")
