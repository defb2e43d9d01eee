"""annotate.language: the language of each document, by py3langid's model on the first kilobyte."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator

from corpusmill import Annotator, CorpusmillError, option

if TYPE_CHECKING:
    import pyarrow as pa

UNKNOWN = "und"
DECIMALS = 4
CHINESE = {"wuu": "zh", "yue": "zh"}
"""Members of the ISO 639-3 macrolanguage zho that the model tells apart, poorly, from written standard Chinese."""


class Language(Annotator):
    """Name the language of each document.

    The model is py3langid's (naive Bayes over byte n-grams, Lui and Baldwin 2011; 140 labels, ISO 639); it is walked
    by compiled code, and only over a prefix of the text. `language` (large_string) is its best label, `und` where
    the text is null, empty or holds no feature. `language_score` (float64, 0 to 1, rounded to 4 decimals) is its
    share of the posterior after py3langid's temperature for length; sums run in a fixed order, so neither depends on
    the batch. Chinese is `zh` in both scripts; with `chinese: merged` that includes what the model takes for written Wu
    or Cantonese, most often technical or classical Chinese.
    """

    depends = ("py3langid",)

    class Options(Annotator.Options):
        """Which languages are possible, how far to read, what to call the result."""

        languages: list[str] | None = option(
            None, help="only these ISO 639 codes are possible; default: all of the model"
        )
        prefix: int = option(1024, ge=64, help="characters of each document to look at", unit="characters")
        chinese: Literal["merged", "apart"] = option("merged", help="Wu (wuu) and Cantonese (yue): as zh, or apart")
        output: str = option("language", help="name of the column; the score gets the suffix _score")

        @field_validator("languages")
        @classmethod
        def _some(cls, value: list[str] | None) -> list[str] | None:
            if value is not None and not value:
                raise ValueError("expected at least one language code, or no list at all")
            return value

    def adds(self) -> dict[str, pa.DataType]:
        """The language and its score."""
        import pyarrow as pa

        return {self.options.output: pa.large_string(), f"{self.options.output}_score": pa.float64()}

    def setup(self) -> None:
        """Load the model and the compiled walk; raises CorpusmillError for a language the model does not know."""
        from corpusmill_plugins.annotators.language_model import load

        try:
            self._model = load(self.options.languages, CHINESE if self.options.chinese == "merged" else {})
        except ValueError as error:
            raise CorpusmillError(
                str(error), where="option languages", expected="ISO 639 codes that py3langid knows, such as en, zh, de"
            ) from error

    def annotate(self, batch: pa.RecordBatch) -> Mapping[str, Any]:
        """Return the two columns, one value a row, without nulls."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not hasattr(self, "_model"):
            self.setup()
        prefixes = pc.utf8_slice_codeunits(self.texts(batch), 0, self.options.prefix)
        best, score = self._model.classify([_encode(text) for text in prefixes.to_pylist()])
        names = [self._model.languages[index] if index >= 0 else UNKNOWN for index in best.tolist()]
        output = self.options.output
        return {
            output: pa.array(names, pa.large_string()),
            f"{output}_score": pa.array(np.round(score, DECIMALS), pa.float64()),
        }


def _encode(text: str | None) -> bytes:
    """Return the bytes py3langid would look at: capitals-only text in small letters, NFC."""
    if not text:
        return b""
    if text.isupper():
        text = text.lower()
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).encode()
