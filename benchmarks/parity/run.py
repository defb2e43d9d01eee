"""Holds the Gopher filters against datatrove's own: python benchmarks/parity/run.py (needs `pip install datatrove`)

Every document of CORPUSMILL_TEST_DATA goes through datatrove's class and through ours in its dialect; whether it is
kept, and the first rule that it breaks, must be the same. Both cut words by `str.split()`: datatrove would take spaCy.
Beside it the CPU time of both in this process. The result goes to benchmarks/results/parity.json; exit 1 where one
differs.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import corpusmill

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "engine")]

import corpus  # noqa: E402

RESULT = HERE.parent / "results" / "parity.json"
WARM_UP = 200
"""Documents judged before the clock starts: kernels are compiled, modules loaded."""
RULES = {
    "filter.gopher-quality": {
        "gopher_short_doc": "too_few_words",
        "gopher_long_doc": "too_many_words",
        "gopher_below_avg_threshold": "words_too_short",
        "gopher_above_avg_threshold": "words_too_long",
        "gopher_too_many_hashes": "too_many_hashes",
        "gopher_too_many_ellipsis": "too_many_ellipses",
        "gopher_too_many_bullets": "too_many_bullets",
        "gopher_too_many_end_ellipsis": "too_many_ellipsis_lines",
        "gopher_below_alpha_threshold": "too_few_alphabetic_words",
        "gopher_enough_stop_words": "too_few_stop_words",
    },
    "filter.gopher-repetition": {
        "dup_para_frac": "paragraphs",
        "dup_para_char_frac": "paragraph_characters",
        "dup_line_frac": "lines",
        "dup_line_char_frac": "line_characters",
        **{f"top_{n}_gram": f"top_{n}" for n in (2, 3, 4)},
        **{f"duplicated_{n}_n_grams": f"repeated_{n}" for n in range(5, 11)},
    },
}
"""Operator -> datatrove's name of a rule -> ours."""


def peers() -> dict[str, Callable[[str], str]]:
    """Operator -> datatrove's filter, as a function of a text that returns the rule it breaks or nothing."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter

    for module in (gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = lambda text, language=None: text.split()

    def judge(filter_: Any) -> Callable[[str], str]:
        def broken(text: str) -> str:
            kept = filter_.filter(Document(text=text, id=""))
            return "" if kept is True else str(kept[1])

        return broken

    return {
        "filter.gopher-quality": judge(gopher_quality_filter.GopherQualityFilter()),
        "filter.gopher-repetition": judge(gopher_repetition_filter.GopherRepetitionFilter()),
    }


def ours(uses: str, texts: list[str]) -> list[str]:
    """The rule that each text breaks first by our operator, or nothing."""
    judged = corpusmill.apply(uses, texts, dialect="datatrove", words="whitespace", adapt=False)
    return [verdict.rule if verdict is not None and not verdict.kept else "" for verdict in judged.verdicts]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its CPU seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


def compare(uses: str, peer: Callable[[str], str], texts: list[str]) -> dict[str, Any]:
    """Judge all texts twice."""
    ours(uses, texts[:WARM_UP])
    theirs, their_seconds = timed(lambda: [peer(text) for text in texts])
    found, our_seconds = timed(lambda: ours(uses, texts))
    expected = [RULES[uses].get(rule, rule) for rule in theirs]
    different = [number for number, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1]]
    return {
        "documents": len(texts),
        "megabytes": round(sum(len(text.encode()) for text in texts) / 1e6, 1),
        "removed": sum(map(bool, expected)),
        "rules_broken": {rule: expected.count(rule) for rule in sorted(set(expected)) if rule},
        "different": [{"number": one, "datatrove": expected[one], "corpusmill": found[one]} for one in different[:20]],
        "differences": len(different),
        "datatrove_cpu_s": round(their_seconds, 2),
        "corpusmill_cpu_s": round(our_seconds, 2),
        "times_faster": round(their_seconds / our_seconds, 1),
    }


def main() -> None:
    """Compare, write the result, and fail where a document is judged in two ways."""
    warnings.simplefilter("ignore")
    # Not what has no words: the peer divides by their number.
    texts = [text for text in corpus.texts_at_hand() if text.split()]
    result = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()},
        "versions": {one: version(one) for one in ("corpusmill", "datatrove", "numpy", "numba", "pyarrow")},
        "filters": {uses: compare(uses, peer, texts) for uses, peer in peers().items()},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["filters"], indent=1))
    if any(one["differences"] for one in result["filters"].values()):
        raise SystemExit("a document is judged in two ways")


if __name__ == "__main__":
    main()
