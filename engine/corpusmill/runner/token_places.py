"""Where one document stands in the tokens of a run: its split, its number, and the windows that hold its tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.store import FileRef, Store
from corpusmill.runner.decision import TokenPlace
from corpusmill.runner.id_index import Asked, possible_files
from corpusmill.runner.records import RunRecord
from corpusmill.runner.tokens import TokenSet


def token_places(record: RunRecord, document: str) -> list[TokenPlace]:
    """Return the places of a document (its id) in every token set of the run; files are mapped, not read whole.

    Raises StoreError where a token set is gone.
    """
    made = record.outputs.get("outputs") or {}
    sets = [(step, str(one["digest"])) for step, one in made.items() if one.get("kind") == "tokens"]
    store = Store(record.store)
    return [place for step, digest in sets for place in _places(step, TokenSet.open(store, digest), document)]


def _places(step: str, tokens: TokenSet, document: str) -> Iterator[TokenPlace]:
    firsts = np.cumsum([0, *(part.rows for part in tokens.parts)])
    for part in possible_files(tokens.store, [one.file for one in tokens.parts], Asked("id", prefix=document)):
        table = _mapped(tokens.store, tokens.parts[part].file)
        rows = np.flatnonzero(pc.fill_null(pc.equal(table["id"], pa.scalar(document)), False).to_numpy())
        for row in rows:
            label = str(table["split"][int(row)])
            offsets = table["tokens"].chunk(0).offsets
            length = offsets[int(row) + 1].as_py() - offsets[int(row)].as_py()
            number = int(firsts[part]) + int(row)
            windows, starts = _windows(tokens, label, number)
            yield TokenPlace(step, label, part, number, length, windows, starts, tokens.splits[label].windows)


def _windows(tokens: TokenSet, label: str, number: int) -> tuple[tuple[int, ...], int]:
    """Return the windows that hold tokens of a document, and how many tokens stand before it in the first of them."""
    plan = _mapped(tokens.store, tokens.splits[label].file)
    document = np.asarray(plan["document"].to_numpy(), np.int64)
    segments = np.flatnonzero(document == number)
    if not len(segments):
        return (), 0
    window = np.asarray(plan["window"].to_numpy(), np.int64)
    lengths = np.asarray(plan["stop"].to_numpy(), np.int64) - np.asarray(plan["start"].to_numpy(), np.int64)
    first = int(segments[0])
    before = slice(int(np.searchsorted(window, window[first])), first)
    return tuple(int(one) for one in np.unique(window[segments])), int(lengths[before].sum())


def _mapped(store: Store, file: FileRef) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(store.path(file)))).read_all()
