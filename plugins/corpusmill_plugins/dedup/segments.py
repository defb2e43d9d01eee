"""Repeated segments: lines, paragraphs or sentences that an earlier document, or the same one, has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill import Deduplicator, Rule, Sketch, at_least, at_most, option
from corpusmill_plugins.dedup.exact import length_rank, normalised
from corpusmill_plugins.dedup.segment_words import count_characters, count_words, segment_words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from corpusmill_plugins.kernels.text import TextBuffer

    Places = npt.NDArray[np.int64]


class SegmentDuplicates(Deduplicator):
    """Keep the first of equal segments of text, in all documents together, and cut the others out.

    `unit` says what a segment is: a `line`, a `paragraph` (between empty lines) or a `sentence` (`.` `!` `?` before a
    blank, `。` `！` `？` anywhere, or the end of a line). With `window: n`, n consecutive segments are compared as
    one, and all of a window that occurred before is cut. Equality is of 128-bit hashes (xxh3) of the segments,
    normalised as in dedup.exact. Segments, or windows, below `min_chars` or `min_words` are never cut, nor are texts
    shorter than a window. A document of which nothing is left is removed (`duplicate_segments`), and so is one that
    lost a segment and then breaks `max_cut_share`, `min_doc_words` or `min_doc_sentences`.

    Recipes: CCNet and Dolma call lines paragraphs, so theirs is `unit: line` (CCNet's ignores case, as
    `normalise: casefold` does, and also digits and punctuation, which nothing here does). C4's three-sentence spans as
    datatrove has them are `{unit: sentence, window: 3, min_doc_words: 50, min_doc_sentences: 3}`, up to where sentences
    end. A word is a run between white space, each Han ideograph and kana one of its own, as in filter.length.
    """

    version = 1
    unit = "segment"
    key_options: ClassVar[tuple[str, ...]] = ("unit", "window", "normalise", "min_chars", "min_words", "keep")
    reason: ClassVar[str] = "duplicate_segments"

    class Options(Deduplicator.Options):
        """What a spec may say."""

        unit: Literal["line", "paragraph", "sentence"] = option("line", help="what a segment is")
        window: int = option(1, ge=1, le=1000, unit="segments", help="consecutive segments that are compared as one")
        normalise: Literal["none", "whitespace", "casefold", "casefold-whitespace"] = option(
            "none", help="what differences are ignored"
        )
        min_chars: int = option(0, ge=0, unit="characters", help="shorter segments (or windows) are never cut")
        min_words: int = option(0, ge=0, unit="words", help="segments (or windows) of fewer words are never cut")
        keep: Literal["first", "longest"] = option("first", help="in which document the segment stays")
        max_cut_share: float = option(
            1.0, ge=0, le=1, unit="share of characters", help="documents that lost more are removed"
        )
        min_doc_words: int = option(0, ge=0, unit="words", help="documents cut to fewer are removed")
        min_doc_sentences: int = option(0, ge=0, unit="sentences", help="documents cut to fewer are removed")

    def setup(self) -> None:
        """Load the compiled kernels."""
        from corpusmill_plugins.kernels.warm import warm

        warm("spans")

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return one 128-bit key for every segment (or window), and its bytes in the text."""
        import numpy as np

        from corpusmill_plugins.kernels.spans import segment_spans
        from corpusmill_plugins.kernels.text import TextBuffer

        texts = TextBuffer.of(batch.column(self.column))
        rows, starts, stops = segment_spans(texts, self.options.unit)
        digests = _digests(texts, starts, stops, self.options.normalise)
        present = np.array([digest is not None for digest in digests], bool)
        rows, starts, stops = rows[present], starts[present], stops[present]
        joined = b"".join(digest for digest in digests if digest is not None)
        first, last = self._windows(texts, rows, starts, stops)
        keys = np.frombuffer(joined, ">u8").astype(np.uint64).reshape(-1, 2)
        keys = keys[first] if self.options.window == 1 else _window_keys(joined, first, last)
        owners = rows[first]
        spans = np.stack([starts[first], stops[last]], axis=1) - texts.starts[owners, None]
        return Sketch(keys, owners, spans=spans)

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Input order, or longest text first."""
        return length_rank(batch.column(self.column)) if self.options.keep == "longest" else None

    def measure_cut(self, before: pa.RecordBatch, after: pa.RecordBatch) -> Mapping[str, Any]:
        """Return the signals that the rules need, each float64 (rows,)."""
        import numpy as np

        from corpusmill_plugins.kernels.spans import segment_spans
        from corpusmill_plugins.kernels.text import TextBuffer

        needed = {rule.signal for rule in self.rules()}
        signals: dict[str, Any] = {}
        if "cut_share" in needed:
            whole, left = length_rank(before.column(self.column)), length_rank(after.column(self.column))
            signals["cut_share"] = 1.0 - left / whole
        left = after.column(self.column)
        if "words" in needed:
            signals["words"] = count_words(left).astype(np.float64)
        if "sentences" in needed:
            owners, _, _ = segment_spans(TextBuffer.of(left), "sentence")
            signals["sentences"] = np.bincount(owners, minlength=len(left)).astype(np.float64)
        return signals

    def rules(self) -> Sequence[Rule]:
        """The bounds that were set."""
        wanted = self.options
        bounds = (
            (wanted.max_cut_share < 1, at_most("cut_share", wanted.max_cut_share, "too-much-cut")),
            (wanted.min_doc_words > 0, at_least("words", wanted.min_doc_words, "too-few-words")),
            (wanted.min_doc_sentences > 0, at_least("sentences", wanted.min_doc_sentences, "too-few-sentences")),
        )
        return [rule for is_set, rule in bounds if is_set]

    def _windows(self, texts: TextBuffer, rows: Places, starts: Places, stops: Places) -> tuple[Places, Places]:
        """Return the first and the last segment of every window that counts, int64 (n,) each."""
        import numpy as np

        wanted, size = self.options, self.options.window
        first = np.arange(max(len(rows) - size + 1, 0), dtype=np.int64)
        first = first[rows[first] == rows[first + size - 1]]
        if wanted.min_chars:
            characters = count_characters(texts, starts[first], stops[first + size - 1])
            first = first[characters >= wanted.min_chars]
        if wanted.min_words:
            words = np.concatenate([[0], np.cumsum(segment_words(texts, starts, stops))])
            first = first[words[first + size] - words[first] >= wanted.min_words]
        return first, first + size - 1


def _digests(texts: TextBuffer, starts: Places, stops: Places, normalise: str) -> list[bytes | None]:
    """Return the hash of each segment, None where nothing is left of it once normalised."""
    from xxhash import xxh3_128_digest

    view = memoryview(texts.data.data)
    ranges = zip(starts.tolist(), stops.tolist(), strict=True)
    if normalise == "none":
        return [xxh3_128_digest(view[start:stop]) for start, stop in ranges]
    pieces = [normalised(str(view[start:stop], "utf-8"), normalise) for start, stop in ranges]
    return [xxh3_128_digest(piece.encode()) if piece else None for piece in pieces]


def _window_keys(joined: bytes, first: Places, last: Places) -> npt.NDArray[np.uint64]:
    """Return the keys of windows, uint64 (n, 2): the hash of the hashes of their segments, which stand side by side."""
    import numpy as np
    from xxhash import xxh3_128_digest

    ranges = zip(first.tolist(), last.tolist(), strict=True)
    digests = b"".join([xxh3_128_digest(joined[16 * start : 16 * stop + 16]) for start, stop in ranges])
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)
