"""Gopher's quality rules, in the dialects of three public pipelines."""

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

_SPACELESS_LANGUAGES = ("ja", "th", "lo", "km", "my")
_NEUTRAL_WORD_LENGTH = 5.0


class GopherQuality(Filter):
    """Drop documents that do not read like prose: Gopher's rules (Rae et al. 2021, arXiv 2112.11446), table A1.

    "Gopher" is another filter in every code base, so `dialect` says whose: `datatrove` (0.10.1; FineWeb), `dolma`
    (tagger gopher_v1, limits of the v1.6 mixer), `dclm` (RefinedWeb filters of 2025-09). They share the limits and
    differ in what is a word, a symbol, a bullet, and whether stop words are counted once. Rules are asked in
    datatrove's order, the first that fails is the reason.

    *Words.* `unicode` cuts by Unicode properties, each character of a script without spaces a word of its own;
    `whitespace` is `str.split()`. Default: `unicode` for datatrove (in place of spaCy, which is 100 times slower),
    `whitespace` for Dolma and DCLM, as there. (DCLM counts its words by Unicode rules under both.)

    *Chinese and other scripts without spaces.* The rules were written for English. A document is Chinese or
    spaceless by
    `language_column` (zh…; ja, th, lo, km, my), or else by its letters (3 in 10 of a script without spaces; Chinese if
    half of those are Han and less than a tenth Kana). Its words are single characters under either word rule, so:
    the mean word length is not judged (the signal is a neutral 5, drawn inside the limits); Chinese stop words are
    function characters (的 了 是 在 …), in other spaceless scripts they are not judged (the signal is the limit).
    All other rules apply as they are; `min_words` then counts characters. `adapt: false` judges every document as
    English.

    Null and empty documents have no words and fail the first rule. Ratios over nothing are 0.
    """

    version = 1
    # Not the word lengths and stop words: a document that they do not judge gets values inside these limits.
    thresholds = ("min_words", "max_words", "max_symbols", "max_bullets", "max_ellipsis_lines", "min_alphabetic")

    class Options(Filter.Options):
        """What a spec may say."""

        dialect: Literal["datatrove", "dolma", "dclm"] = option("datatrove", help="whose reading of the rules")
        words: Literal["unicode", "whitespace"] | None = option(None, help="word rule; the dialect's if not given")
        min_words: int = option(50, ge=0, unit="words", help="fewest words")
        max_words: int = option(100_000, ge=0, unit="words", help="most words")
        min_word_length: float = option(3, ge=0, unit="characters", help="least mean (dolma: median) word length")
        max_word_length: float = option(10, ge=0, unit="characters", help="largest mean (dolma: median) word length")
        max_symbols: float = option(0.1, ge=0, unit="symbols a word", help="most # (and, apart in datatrove, ellipses)")
        max_bullets: float = option(0.9, ge=0, unit="share of lines", help="most lines that begin with a bullet")
        max_ellipsis_lines: float = option(0.3, ge=0, unit="share of lines", help="most lines that end in an ellipsis")
        min_alphabetic: float = option(0.8, ge=0, le=1, unit="share of words", help="fewest words with a letter")
        min_stop_words: int = option(2, ge=0, unit="words", help="fewest stop words (datatrove: different ones)")
        stop_words: tuple[str, ...] | None = option(None, help="stop words; the English eight if not given")
        chinese_stop_words: tuple[str, ...] | None = option(None, help="stop words of Chinese, one character each")
        language_column: str | None = option(None, help="column with a language code; told from the text if not given")
        adapt: bool = option(True, help="judge scripts without spaces by rules that fit them")

    def reads(self) -> tuple[str, ...]:
        """The text, and the language column if there is one."""
        language = self.options.language_column
        return (self.column,) if language is None else (self.column, language)

    def setup(self) -> None:
        """Load the compiled kernels."""
        from corpusmill_plugins.kernels.warm import warm

        warm("quality")

    def measure(self, batch: pa.RecordBatch) -> Signals:
        """Return the dialect's signals, float64 (rows,) each."""
        import numpy as np

        from corpusmill_plugins.kernels.text import TextBuffer

        texts = TextBuffer.of(batch.column(self.column))
        profiles = self._profiles(batch)
        rule = self.options.words or ("unicode" if self.options.dialect == "datatrove" else "whitespace")
        counts = self._count(texts, rule, profiles)
        signals = _datatrove(counts) if self.options.dialect == "datatrove" else _shares(counts)
        if self.options.dialect == "dolma":
            signals["word_length"] = counts["double_median"] / 2
            signals["symbols"] = _ratio(counts["symbolic"], counts["words"])
        elif self.options.dialect == "dclm":
            by_unicode = counts if rule == "unicode" else self._count(texts, "unicode", profiles)
            signals["words"] = by_unicode["alnum_first"].astype(np.float64)
        return self._neutralise(signals, counts["profile"])

    def rules(self) -> Sequence[Rule]:
        """The rules in datatrove's order."""
        limits = self.options
        names = ("hashes", "ellipses") if limits.dialect == "datatrove" else ("symbols",)
        symbols = [at_most(name, limits.max_symbols, f"too_many_{name}") for name in names]
        return [
            at_least("words", limits.min_words, "too_few_words"),
            at_most("words", limits.max_words, "too_many_words"),
            at_least("word_length", limits.min_word_length, "words_too_short"),
            at_most("word_length", limits.max_word_length, "words_too_long"),
            *symbols,
            at_most("bullets", limits.max_bullets, "too_many_bullets"),
            at_most("ellipsis_lines", limits.max_ellipsis_lines, "too_many_ellipsis_lines"),
            at_least("alphabetic", limits.min_alphabetic, "too_few_alphabetic_words"),
            at_least("stop_words", limits.min_stop_words, "too_few_stop_words"),
        ]

    def _count(self, texts: Any, rule: str, profiles: npt.NDArray[np.int8]) -> Counts:
        from corpusmill_plugins.kernels.plain.quality import CHINESE_STOP_WORDS, ENGLISH_STOP_WORDS
        from corpusmill_plugins.kernels.quality import StopWords, quality_counts

        wanted, chinese = self.options.stop_words, self.options.chinese_stop_words
        return quality_counts(
            texts,
            self.options.dialect,
            rule,
            profiles,
            StopWords.of(ENGLISH_STOP_WORDS if wanted is None else wanted),
            StopWords.of(CHINESE_STOP_WORDS if chinese is None else chinese),
        )

    def _profiles(self, batch: pa.RecordBatch) -> npt.NDArray[np.int8]:
        import numpy as np

        from corpusmill_plugins.kernels.quality import CHINESE, DETECT, SPACED, SPACELESS

        if not self.options.adapt:
            return np.full(batch.num_rows, SPACED, np.int8)
        if self.options.language_column is None:
            return np.full(batch.num_rows, DETECT, np.int8)

        def profile(language: str | None) -> int:
            if not language:
                return DETECT
            code = language.lower().replace("_", "-").split("-")[0]
            return CHINESE if code in ("zh", "zho", "cmn") else SPACELESS if code in _SPACELESS_LANGUAGES else SPACED

        languages = batch.column(self.options.language_column).to_pylist()
        return np.fromiter(map(profile, languages), np.int8, batch.num_rows)

    def _neutralise(self, signals: Signals, profile: npt.NDArray[np.int64]) -> Signals:
        import numpy as np

        from corpusmill_plugins.kernels.quality import SPACED, SPACELESS

        neutral = np.clip(_NEUTRAL_WORD_LENGTH, self.options.min_word_length, self.options.max_word_length)
        signals["word_length"] = np.where(profile == SPACED, signals["word_length"], neutral)
        stop_words = np.where(profile == SPACELESS, self.options.min_stop_words, signals["stop_words"])
        signals["stop_words"] = stop_words.astype(np.float64)
        return signals


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.asarray(part / np.maximum(whole, 1), np.float64)


def _shares(counts: Counts) -> Signals:
    """What Dolma and DCLM measure alike; DCLM's own words, lengths and symbols."""
    return {
        "words": counts["words"] * 1.0,
        "word_length": _ratio(counts["word_characters"], counts["words"]),
        "symbols": _ratio(
            counts["hashes"] + counts["dots"] + counts["spaced_dots"] + counts["ellipses"], counts["words"]
        ),
        "bullets": _ratio(counts["bullets"], counts["lines"]),
        "ellipsis_lines": _ratio(counts["ellipsis_lines"], counts["lines"]),
        "alphabetic": _ratio(counts["alphabetic"], counts["words"]),
        "stop_words": counts["stop_words"] * 1.0,
    }


def _datatrove(counts: Counts) -> Signals:
    signals = _shares(counts)
    del signals["symbols"]
    return signals | {
        "words": counts["solid"] * 1.0,
        "word_length": _ratio(counts["solid_characters"], counts["solid"]),
        "hashes": _ratio(counts["hashes"], counts["words"]),
        "ellipses": _ratio(counts["dots"] + counts["ellipses"], counts["words"]),
        "stop_words": counts["stop_kinds"] * 1.0,
    }
