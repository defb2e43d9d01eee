"""Repeated segments: lines, paragraphs or sentences that an earlier document, or the same one, has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill import Deduplicator, Rule, Sketch, at_least, at_most, option
from corpusmill_plugins.dedup.exact import length_rank, normalised
from corpusmill_plugins.dedup.segment_spans import SPANS, count_words, sentence_spans

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from corpusmill_plugins.dedup.segment_spans import Span


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

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return one 128-bit key for every segment (or window), and its bytes in the text."""
        import numpy as np

        from corpusmill_plugins.kernels.text import TextBuffer

        texts = TextBuffer.of(batch.column(self.column))
        view = memoryview(texts.data)
        rows: list[int] = []
        spans: list[Span] = []
        digests: list[bytes] = []
        for row, (start, end) in enumerate(zip(texts.starts.tolist(), texts.ends.tolist(), strict=True)):
            found = self._windows(bytes(view[start:end]))
            rows += [row] * len(found)
            spans += [span for span, _ in found]
            digests += [digest for _, digest in found]
        keys = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)
        return Sketch(keys, np.array(rows, np.int64), spans=np.array(spans, np.int64).reshape(-1, 2))

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Input order, or longest text first."""
        return length_rank(batch.column(self.column)) if self.options.keep == "longest" else None

    def measure_cut(self, before: pa.RecordBatch, after: pa.RecordBatch) -> Mapping[str, Any]:
        """Return the signals that the rules need, each float64 (rows,)."""
        import numpy as np

        needed = {rule.signal for rule in self.rules()}
        signals: dict[str, Any] = {}
        if "cut_share" in needed:
            whole, left = length_rank(before.column(self.column)), length_rank(after.column(self.column))
            signals["cut_share"] = 1.0 - left / whole
        texts = [text or "" for text in after.column(self.column).to_pylist()] if needed - {"cut_share"} else []
        if "words" in needed:
            signals["words"] = np.array([count_words(text) for text in texts], np.float64)
        if "sentences" in needed:
            signals["sentences"] = np.array([len(sentence_spans(text.encode())) for text in texts], np.float64)
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

    def _windows(self, text: bytes) -> list[tuple[Span, bytes]]:
        """Return span and digest of all windows of a text that count."""
        from xxhash import xxh3_128_digest

        found = self._segments(text)
        size = self.options.window
        if size > 1:
            ends = range(size, len(found) + 1)
            groups = [found[end - size : end] for end in ends]
            found = [
                ((group[0][0][0], group[-1][0][1]), xxh3_128_digest(b"".join(digest for _, digest in group)))
                for group in groups
            ]
        if not (self.options.min_chars or self.options.min_words):
            return found
        return [(span, digest) for span, digest in found if self._counts(text[span[0] : span[1]].decode())]

    def _segments(self, text: bytes) -> list[tuple[Span, bytes]]:
        """Return span and digest of all segments of which something is left once normalised."""
        from xxhash import xxh3_128_digest

        spans = SPANS[self.options.unit](text)
        how = self.options.normalise
        if how == "none":
            return [(span, xxh3_128_digest(text[span[0] : span[1]])) for span in spans]
        pieces = [(span, normalised(text[span[0] : span[1]].decode(), how)) for span in spans]
        return [(span, xxh3_128_digest(piece.encode())) for span, piece in pieces if piece]

    def _counts(self, piece: str) -> bool:
        return len(piece) >= self.options.min_chars and (
            not self.options.min_words or count_words(piece) >= self.options.min_words
        )
