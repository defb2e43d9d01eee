"""filter.length: keep documents whose number of characters and words lies in a range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import model_validator

from corpusmill import Filter, Rule, at_least, at_most, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class Length(Filter):
    """Keep documents whose number of characters and words lies in a range.

    A character is a Unicode code point. A word is a run between white space, except that each Han ideograph and
    each kana is a word of its own. Hangul, Thai and Khmer count by their spaces. A null text has no characters and
    no words. Signals: `characters`, `words` (float64, one a row).
    """

    class Options(Filter.Options):
        """Bounds; at least one is needed."""

        min_chars: int | None = option(None, ge=0, help="fewest characters of a kept document", unit="characters")
        max_chars: int | None = option(None, ge=0, help="most characters of a kept document", unit="characters")
        min_words: int | None = option(None, ge=0, help="fewest words of a kept document", unit="words")
        max_words: int | None = option(None, ge=0, help="most words of a kept document", unit="words")

        @model_validator(mode="after")
        def _check(self) -> Length.Options:
            if (self.min_chars, self.max_chars, self.min_words, self.max_words) == (None,) * 4:
                raise ValueError("expected at least one of min_chars, max_chars, min_words, max_words")
            for low, high, what in (
                (self.min_chars, self.max_chars, "chars"),
                (self.min_words, self.max_words, "words"),
            ):
                if low is not None and high is not None and low > high:
                    raise ValueError(f"min_{what} {low} is above max_{what} {high}: nothing would be kept")
            return self

    def measurement(self) -> list[str]:
        """The signals that the rules need: only these are measured."""
        return sorted({rule.signal for rule in self.rules()})

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, npt.NDArray[np.float64]]:
        """Return the signals that the rules need, each float64 (rows,)."""
        import numpy as np
        import pyarrow.compute as pc

        texts = self.texts(batch)
        signals: dict[str, npt.NDArray[np.float64]] = {}
        needed = self.measurement()
        if "characters" in needed:
            characters = pc.utf8_length(texts).fill_null(0).to_numpy(zero_copy_only=False)
            signals["characters"] = characters.astype(np.float64)
        if "words" in needed:
            from corpusmill_plugins.filters.length_kernel import count_words

            signals["words"] = count_words(texts).astype(np.float64)
        return signals

    def rules(self) -> Sequence[Rule]:
        """The bounds that were given, characters first."""
        wanted = self.options
        bounds = (
            (at_least, "characters", wanted.min_chars, "too-few-characters"),
            (at_most, "characters", wanted.max_chars, "too-many-characters"),
            (at_least, "words", wanted.min_words, "too-few-words"),
            (at_most, "words", wanted.max_words, "too-many-words"),
        )
        return [make(signal, bound, reason) for make, signal, bound, reason in bounds if bound is not None]
