"""Cutting spans of bytes out of texts, and closing the gaps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BLANKS = b" \t\n\r\v\f"
_RUNS = re.compile(rb"[ \t\n\r\v\f]+")


def utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of a string column and where rows begin: uint8, int64 (rows + 1,); a null row is empty."""
    if texts.type != pa.large_string():
        texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = texts.fill_null("")
    if not len(texts):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = texts.buffers()
    found = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), found


def cut_texts(
    texts: pa.Array, rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> list[bytes]:
    """Return the UTF-8 of each row of `texts` without its spans.

    `rows`, `starts`, `stops`: int64 (n,), sorted by (row, start); a start and a stop are bytes of the row's text.
    """
    data, offsets = utf8(texts)
    view = memoryview(data.data)
    bounds = np.searchsorted(rows, np.arange(len(texts) + 1))
    spans = list(zip(starts.tolist(), stops.tolist(), strict=True))
    return [
        cut_text(bytes(view[offsets[row] : offsets[row + 1]]), spans[bounds[row] : bounds[row + 1]])
        for row in range(len(texts))
    ]


def cut_text(text: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return a text without the spans (start, stop), sorted by start.

    Spans that overlap, touch or have only blanks between them are one gap. Of the blanks before, inside and after a
    gap the run with the most line breaks stays, the first of equals; at the beginning and the end of the text, none.
    """
    kept: list[bytes] = []
    done = 0
    for start, stop in _gaps(text, spans):
        before = text[done:start]
        solid = before.rstrip(BLANKS)
        done = _end_of_blanks(text, stop)
        if not solid and not kept:
            continue
        kept.append(solid)
        if done < len(text):
            runs = (before[len(solid) :], *_RUNS.findall(text, start, done))
            kept.append(max(runs, key=lambda blanks: blanks.count(b"\n")))
    return b"".join([*kept, text[done:]])


def _gaps(text: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield where each gap starts and stops."""
    first, last = -1, -1
    for start, stop in spans:
        if first >= 0 and not text[last:start].strip(BLANKS):
            last = max(last, stop)
            continue
        if first >= 0:
            yield first, last
        first, last = start, stop
    if first >= 0:
        yield first, last


def _end_of_blanks(text: bytes, at: int) -> int:
    run = _RUNS.match(text, at)
    return at if run is None else run.end()
