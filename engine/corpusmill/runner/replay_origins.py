"""Where the segments that a run cut out of a document stay: looked up in the sketches that the run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.part import read_part
from corpusmill.dataset.selection import read_selection
from corpusmill.dataset.store import FileRef, Store, make_key
from corpusmill.exchange.segment_sketch import Spans
from corpusmill.exchange.sketch_file import SketchFile

_MOST_PARTS = 4096
"""Parts whose sketches are looked through; opening them takes about a second. More, or an object store: not told."""

Span = tuple[int, int]
Place = tuple[bool, float, int, int]
"""In order of rank: whether it is in the documents themselves, its rank, the entry's number, its own number there."""


@dataclass(frozen=True)
class Origins:
    """The sketches of one step: entries in rank order, the first `earlier` of them `against`; `print` of the keys."""

    store: Store
    operator: Any
    entries: Sequence[Entry]
    earlier: int
    print: str

    def stay_in(self, row: Any, cuts: Sequence[Span]) -> dict[Span, str]:
        """Return the document in which each of these segments of a document (a batch of one row) stays, by its id.

        Empty where the sketches are gone, or too many to look through.
        """
        if self.store.storage.remote or len(self.entries) > _MOST_PARTS or not cuts:
            return {}
        sketch = self.operator.sketch(row)
        spans = [(int(start), int(stop)) for start, stop in sketch.spans]
        keys = {span: key for span, key in zip(spans, sketch.keys.tolist(), strict=True) if span in set(cuts)}
        best: dict[Span, Place] = {}
        for index, entry in enumerate(self.entries):
            record = self.store.committed(make_key("segment-sketch", self.print, entry.part.digest))
            if record is None:
                return {}
            for span, place in self._places(index, entry, record, keys).items():
                best[span] = min(best.get(span, place), place)
        return {span: self._id(place[2], place[3]) for span, place in best.items()}

    def _places(
        self, index: int, entry: Entry, record: Mapping[str, Any], keys: Mapping[Span, Sequence[int]]
    ) -> dict[Span, Place]:
        """Return the best segment of one part for each key that it has."""
        ranks = self._path(record["rows"]) if record["rows"] else None
        sketch, spans = SketchFile(self._path(record["keys"]), ranks), Spans.read(self._path(record["spans"]))
        mask = read_selection(self.store, entry.selection) if entry.selection else None
        found: dict[Span, Place] = {}
        for span, (high, low) in keys.items():
            entries = sketch.slice(high, high + 1)
            if not len(entries.row):
                continue
            numbers = entries.row[entries.key_low == np.uint64(low)].astype(np.int64)
            numbers = numbers if mask is None else numbers[mask[spans.row[numbers]]]
            late = index >= self.earlier
            rank = sketch.rank(numbers) if ranks is not None and late else np.zeros(len(numbers))
            if len(numbers):
                first = int(np.lexsort((numbers, rank))[0])
                found[span] = (late, float(rank[first]), index, int(numbers[first]))
        return found

    def _id(self, index: int, number: int) -> str:
        """Return the id of the document that a segment stands in."""
        part = self.entries[index].part
        record = self.store.committed(make_key("segment-sketch", self.print, part.digest))
        assert record is not None  # it was read a moment ago
        row = int(Spans.read(self._path(record["spans"])).row[number])
        for batch in read_part(self.store, part.file, ["id"]):
            if row < batch.num_rows:
                return str(batch.column("id")[row])
            row -= batch.num_rows
        raise IndexError(number)

    def _path(self, file: Any) -> Any:
        return self.store.path(FileRef.from_json(file))


def sketch_print(step: Mapping[str, Any], operator: Any, code: str) -> str:
    """Return the fingerprint of a step's sketches as the run made them; `code` as its ingredients tell."""
    options = {name: value for name, value in step["options"].items() if name in operator.key_options}
    return hash_json([step["uses"], code, options, step["column"]])
