"""Gopher's repetition rules, in the dialects of three public pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from corpusmill import Filter, Rule, at_least, at_most, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Counts = Mapping[str, npt.NDArray[np.int64]]
    Signals = dict[str, npt.NDArray[np.float64]]

_ORDER = {
    "datatrove": ("paragraphs", "paragraph_characters", "lines", "line_characters"),
    "dolma": ("lines", "line_characters"),
    "dclm": ("lines", "paragraphs", "line_characters", "paragraph_characters"),
}


class GopherRepetition(Filter):
    """Drop documents that repeat themselves: Gopher's rules (Rae et al. 2021, arXiv 2112.11446), table A1.

    `dialect` says whose reading: `datatrove` (0.10.1; FineWeb) counts what comes again after the first time, against
    the whole text, and walks repeated n-grams from the left; `dolma` (tagger gopher_v1, limits of the v1.6 mixer, no
    paragraphs) and `dclm` (2025-09) count all occurrences, against the characters of words, Dolma with overlaps
    counted again, DCLM each word once. Empty documents fall to `datatrove` and `dclm`, stay in `dolma`.

    Signals are shares: of paragraphs, lines and their characters that are repeats; `top_2` to `top_4`, characters of
    the most frequent n-gram; `repeated_5` to `repeated_10`, characters of n-grams that occur again. Words are cut as
    in `filter.gopher-quality`: default `unicode` (`whitespace` for Dolma).

    *Chinese and other scripts without spaces.* There each character is a word, five of them are two or three real
    ones, and limits made for English are too strict. So by default, in a document of such a script (told from its
    letters as in `filter.gopher-quality`, always cut by `unicode`), an n-gram is 2n characters, without spaces between
    them. Measured with `datatrove`, documents whose first broken rule is one of n-grams: 1,293 Chinese articles on
    computing 25 % as published, 8 % adapted; 1,676 Chinese laws, which repeat set phrases, 98 % and 42 %; beside them
    778 chapters of English novels 0 %, 3,004 versions of Python's PEPs 6 %. Who keeps laws should raise
    `max_repeated_5`. `adapt: false` judges every document as published.
    """

    version = 1
    thresholds = (
        *("max_paragraphs", "max_paragraph_characters", "max_lines", "max_line_characters"),
        *("max_top_2", "max_top_3", "max_top_4"),
        *(f"max_repeated_{n}" for n in range(5, 11)),
    )

    class Options(Filter.Options):
        """What a spec may say."""

        dialect: Literal["datatrove", "dolma", "dclm"] = option("datatrove", help="whose reading of the rules")
        words: Literal["unicode", "whitespace"] | None = option(None, help="word rule; the dialect's if not given")
        adapt: bool = option(True, help="n-grams of twice as many characters in scripts without spaces")
        max_paragraphs: float | None = option(None, ge=0, unit="share", help="most repeated paragraphs")
        max_paragraph_characters: float | None = option(None, ge=0, unit="share", help="most characters in them")
        max_lines: float | None = option(None, ge=0, unit="share", help="most repeated lines")
        max_line_characters: float | None = option(None, ge=0, unit="share", help="most characters in them")
        max_top_2: float | None = option(None, ge=0, unit="share", help="most characters of the top 2-gram")
        max_top_3: float | None = option(None, ge=0, unit="share", help="most characters of the top 3-gram")
        max_top_4: float | None = option(None, ge=0, unit="share", help="most characters of the top 4-gram")
        max_repeated_5: float | None = option(None, ge=0, unit="share", help="most characters of repeated 5-grams")
        max_repeated_6: float | None = option(None, ge=0, unit="share", help="most characters of repeated 6-grams")
        max_repeated_7: float | None = option(None, ge=0, unit="share", help="most characters of repeated 7-grams")
        max_repeated_8: float | None = option(None, ge=0, unit="share", help="most characters of repeated 8-grams")
        max_repeated_9: float | None = option(None, ge=0, unit="share", help="most characters of repeated 9-grams")
        max_repeated_10: float | None = option(None, ge=0, unit="share", help="most characters of repeated 10-grams")

    def setup(self) -> None:
        """Load the compiled kernels."""
        from corpusmill_plugins.kernels.warm import warm

        warm("repetition")

    def measure(self, batch: pa.RecordBatch) -> Signals:
        """Return the dialect's signals, float64 (rows,) each."""
        from corpusmill_plugins.kernels.repetition import repetition_counts
        from corpusmill_plugins.kernels.text import TextBuffer

        dialect = self.options.dialect
        rule = self.options.words or ("whitespace" if dialect == "dolma" else "unicode")
        texts = TextBuffer.of(batch.column(self.column))
        counts = repetition_counts(texts, dialect, rule, adapt=self.options.adapt)
        return {"datatrove": _datatrove, "dolma": _dolma, "dclm": _dclm}[dialect](counts)

    def rules(self) -> Sequence[Rule]:
        """The rules in the dialect's order; a limit not given is the dialect's."""
        from corpusmill_plugins.kernels.plain.repetition import LIMITS

        dialect = self.options.dialect
        rules = [] if dialect == "dolma" else [at_least("segments", 1, "empty")]
        names = (*_ORDER[dialect], *(f"top_{n}" for n in (2, 3, 4)), *(f"repeated_{n}" for n in range(5, 11)))
        for name in names:
            limit = getattr(self.options, f"max_{name}")
            rules.append(at_most(name, LIMITS[dialect][name] if limit is None else limit))
        return rules


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.asarray(part / np.maximum(whole, 1), np.float64)


def _datatrove(counts: Counts) -> Signals:
    signals = {"segments": counts["characters"] * 1.0}
    for name, column in (("paragraph", "para"), ("line", "line")):
        signals[f"{name}s"] = _ratio(counts[f"{column}_repeats"], counts[f"{column}_segments"])
        signals[f"{name}_characters"] = _ratio(counts[f"{column}_repeat_characters"], counts["characters"])
    return signals | {name: _ratio(counts[name], counts["characters"]) for name in _ngram_columns()}


def _dolma(counts: Counts) -> Signals:
    lines = _ratio(counts["line_members"], counts["line_segments"])
    characters = _ratio(counts["line_member_characters"], counts["word_characters"])
    signals = {"segments": counts["characters"] * 1.0, "lines": lines, "line_characters": characters}
    signals |= {f"top_{n}": _ratio(counts[f"top_{n}"], counts["word_characters"]) for n in (2, 3, 4)}
    return signals | {f"repeated_{n}": _ratio(counts[f"repeated_{n}"], counts[f"all_{n}"]) for n in range(5, 11)}


def _dclm(counts: Counts) -> Signals:
    signals = {"segments": counts["para_segments"] * 1.0}
    for name, column in (("line", "line"), ("paragraph", "para")):
        signals[f"{name}s"] = _ratio(counts[f"{column}_members"], counts[f"{column}_segments"])
        signals[f"{name}_characters"] = _ratio(counts[f"{column}_member_characters"], counts[f"{column}_characters"])
    return signals | {name: _ratio(counts[name], counts["word_characters"]) for name in _ngram_columns()}


def _ngram_columns() -> list[str]:
    return [*(f"top_{n}" for n in (2, 3, 4)), *(f"repeated_{n}" for n in range(5, 11))]
