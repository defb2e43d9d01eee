"""Exact duplicates: documents with the same text, or the same text after a stated normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill import Deduplicator, Sketch, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class ExactDuplicates(Deduplicator):
    """Keep one of the documents whose text is the same, by 128-bit hashes (xxh3) of UTF-8 bytes.

    `normalise` says what "the same" ignores: `none` nothing; `whitespace` how words are spaced; `casefold` case and
    Unicode composition (NFC before and after folding); `casefold-whitespace` both. Null texts and texts that are empty,
    or empty once normalised, are never duplicates.
    """

    version = 1
    key_options: ClassVar[tuple[str, ...]] = ("normalise", "keep")
    reason: ClassVar[str] = "exact_duplicate"

    class Options(Deduplicator.Options):
        """What a spec may say."""

        normalise: Literal["none", "whitespace", "casefold", "casefold-whitespace"] = option(
            "none", help="what differences are ignored"
        )
        keep: Literal["first", "longest"] = option("first", help="which document of a group stays")

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return one 128-bit key for every text that is not empty."""
        import numpy as np

        from corpusmill_plugins.kernels.text import TextBuffer

        texts = TextBuffer.of(batch.column(self.column))
        if self.options.normalise == "none":
            digests = _digests(texts)
        else:
            digests = _normalised_digests(texts, self.options.normalise)
        rows = np.array([row for row, _ in digests], np.int64)
        joined = b"".join(digest for _, digest in digests)
        return Sketch(np.frombuffer(joined, ">u8").astype(np.uint64).reshape(-1, 2), rows)

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Input order, or longest text first."""
        return length_rank(batch.column(self.column)) if self.options.keep == "longest" else None


def length_rank(column: Any) -> npt.NDArray[np.float64]:
    """Return minus the number of characters, float64 (rows,); null counts as empty."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.utf8_length(column), 0)
    return -np.asarray(lengths.to_numpy(zero_copy_only=False), np.float64)


def _digests(texts: Any) -> list[tuple[int, bytes]]:
    """Hash slices of the buffer: no string is made."""
    from xxhash import xxh3_128_digest

    view = memoryview(texts.data)
    ranges = zip(texts.starts.tolist(), texts.ends.tolist(), strict=True)
    return [(row, xxh3_128_digest(view[start:end])) for row, (start, end) in enumerate(ranges) if end > start]


def normalised(text: str, normalise: str) -> str:
    """Return what is compared of a text: without the differences that `normalise` ignores."""
    from unicodedata import normalize

    if "casefold" in normalise:
        # ASCII is composed, and stays so: three quarters of the time saved
        text = text.casefold() if text.isascii() else normalize("NFC", normalize("NFC", text).casefold())
    if "whitespace" in normalise:
        text = " ".join(text.split())
    return text


def _normalised_digests(texts: Any, normalise: str) -> list[tuple[int, bytes]]:
    from xxhash import xxh3_128_digest

    view = memoryview(texts.data)
    digests = []
    for row, (start, end) in enumerate(zip(texts.starts.tolist(), texts.ends.tolist(), strict=True)):
        text = normalised(str(view[start:end], "utf-8"), normalise)
        if text:
            digests.append((row, xxh3_128_digest(text.encode())))
    return digests
