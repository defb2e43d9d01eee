"""Near-duplicates by MinHash: documents that share most of their word n-grams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from corpusmill import Deduplicator, Sketch, option
from corpusmill_plugins.dedup.bands import PERMUTATIONS, best_bands
from corpusmill_plugins.dedup.exact import length_rank

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

SEED = 0x6D696C6C
"""Fixed: sketches of different runs must compare."""


class MinHashDuplicates(Deduplicator):
    """Keep one of the documents whose sets of word n-grams are alike (Broder 1997; bands: Leskovec et al., ch. 3).

    Documents are folded first: case, accents, compatibility forms and punctuation do not count, a run of digits is one
    "0"; each letter of a script without spaces (Chinese, Japanese, Thai) is a word. Then `bands` x `rows` minima of the
    n-grams are taken. Documents that share all minima of a band are candidates; the share of equal minima estimates
    their Jaccard similarity (standard error 0.04 at 112 minima), and `verify: signature` keeps the candidates at
    or above
    `threshold`. `verify: none` takes all candidates, as most tools do.

    Sketches depend on bands, rows and ngram: another threshold with the same bands sketches nothing again.
    Without `bands` and `rows` they follow from the threshold (`best_bands`); at 0.7 they are datatrove's 14 x 8. A
    document shorter than one n-gram has a single n-gram, all of it. A document without a word (null, empty, only
    punctuation) is never a duplicate.
    """

    version = 1
    key_options: ClassVar[tuple[str, ...]] = ("bands", "rows", "ngram", "keep")
    verifies: ClassVar[bool] = True
    reason: ClassVar[str] = "near_duplicate"

    class Options(Deduplicator.Options):
        """What a spec may say."""

        threshold: float = option(0.7, gt=0, le=1, unit="Jaccard similarity", help="how alike duplicates are at least")
        bands: int | None = option(None, ge=1, le=4096, help="bands; from the threshold if not given")
        rows: int | None = option(None, ge=1, le=4096, help="minima a band; from the threshold if not given")
        ngram: int = option(5, ge=1, le=100, unit="words", help="words an n-gram")
        keep: Literal["first", "longest"] = option("first", help="which document of a group stays")
        verify: Literal["signature", "none"] = option("signature", help="how candidates are checked")

        @model_validator(mode="after")
        def _settle_bands(self) -> Self:
            """Fill in bands and rows, so that sketches are cached under them and not under the threshold."""
            bands, rows = self.bands, self.rows
            if bands is None and rows is None:
                bands, rows = best_bands(self.threshold)
            object.__setattr__(self, "bands", bands or max(1, PERMUTATIONS // (rows or 1)))
            object.__setattr__(self, "rows", rows or max(1, PERMUTATIONS // (bands or 1)))
            return self

    def setup(self) -> None:
        """Load the compiled kernels."""
        from corpusmill_plugins.kernels.warm import warm

        warm("signatures")

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return one key a band of every document with a word; evidence uint32 (rows, bands * rows): the minima."""
        import numpy as np

        from corpusmill_plugins.kernels.signatures import band_keys, permutations, signatures
        from corpusmill_plugins.kernels.text import TextBuffer

        bands, rows = self.options.bands, self.options.rows
        texts = TextBuffer.of(batch.column(self.column))
        minima, words = signatures(texts, self.options.ngram, permutations(bands * rows, SEED))
        present = np.flatnonzero(words)
        keys = band_keys(minima[present], bands, rows)
        return Sketch(keys.ravel(), np.repeat(present, bands), minima)

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Input order, or longest text first."""
        return length_rank(batch.column(self.column)) if self.options.keep == "longest" else None

    def similarity(self, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the share of equal minima, float64 (pairs,)."""
        import numpy as np

        return np.asarray((left == right).mean(axis=1), np.float64)

    def threshold(self) -> float:
        """The similarity of duplicates; nothing is asked of candidates with `verify: none`."""
        return float(self.options.threshold) if self.options.verify == "signature" else 0.0
