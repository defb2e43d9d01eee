"""Compiles or loads the kernels once, so that workers that start together do not all compile."""

from __future__ import annotations

from functools import cache

FAMILIES = ("signatures", "quality", "repetition", "spans")


def warm(*families: str) -> None:
    """Compile what is not in the cache, load what is; all families if none is named.

    Call it once in the driver before workers start: afterwards they only load. The types here are those the operators
    use, so nothing is compiled later.
    """
    for family in families or FAMILIES:
        _WARMERS[family]()


@cache
def _signatures() -> None:
    from corpusmill_plugins.kernels.signatures import band_keys, permutations, signatures
    from corpusmill_plugins.kernels.text import TextBuffer

    signed, _ = signatures(TextBuffer.of_texts(["warm \u6696"]), 5, permutations(4, 1))
    band_keys(signed, 2, 2)


@cache
def _quality() -> None:
    import numpy as np

    from corpusmill_plugins.kernels.quality import StopWords, quality_counts
    from corpusmill_plugins.kernels.text import TextBuffer

    stop_words = StopWords.of(["the"])
    quality_counts(TextBuffer.of_texts(["warm"]), "dclm", "unicode", np.full(1, -1, np.int8), stop_words, stop_words)


@cache
def _repetition() -> None:
    from corpusmill_plugins.kernels.repetition import repetition_counts
    from corpusmill_plugins.kernels.text import TextBuffer

    repetition_counts(TextBuffer.of_texts(["warm"]), "dclm", "unicode", adapt=True)


@cache
def _spans() -> None:
    from corpusmill_plugins.kernels.spans import segment_spans
    from corpusmill_plugins.kernels.text import TextBuffer

    segment_spans(TextBuffer.of_texts(["warm. \u6696"]), "sentence")


_WARMERS = {"signatures": _signatures, "quality": _quality, "repetition": _repetition, "spans": _spans}
