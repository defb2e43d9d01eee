"""Measures the text kernels on one core against datasketch and plain Python: python benchmarks/kernels/run.py

Data: the folder that CORPUSMILL_TEST_DATA names. Time is CPU time of this process, best of `REPEATS` interleaved
repeats; peers see a sample of the same documents, because they are slow. The result goes to
benchmarks/results/kernels.json with machine, load and versions.
"""

from __future__ import annotations

import json
import lzma
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill_plugins.dedup.minhash import MinHashDuplicates
from corpusmill_plugins.filters.gopher_quality import GopherQuality
from corpusmill_plugins.filters.gopher_repetition import GopherRepetition
from corpusmill_plugins.kernels.plain import quality, repetition
from corpusmill_plugins.kernels.plain.folding import folded_words
from corpusmill_plugins.kernels.plain.words import unicode_words

REPEATS = 5
SAMPLE = 15
SOURCES = {
    "english": "c_neardup/pep-history/pep-history.jsonl.xz",
    "chinese": "b_corpora/zh-lctt/zh-lctt.jsonl.xz",
    "multilingual": "b_corpora/tf-docs-multi/tf-docs-multi.jsonl.xz",
}
RESULT = Path(__file__).parents[1] / "results" / "kernels.json"


def texts_of(folder: Path, name: str) -> list[str]:
    """The texts of one source."""
    with lzma.open(folder / SOURCES[name], "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def ngrams_of(texts: list[str]) -> list[list[bytes]]:
    """The 5-grams of the same words, made before the clock starts: datasketch is timed on hashing and minima alone."""
    grams = []
    for text in texts:
        words = folded_words(text)
        grams.append([" ".join(words[at : at + 5]).encode() for at in range(max(len(words) - 4, 1))])
    return grams


def datasketch_bulk(grams: list[list[bytes]]) -> None:
    """112 permutations by datasketch, with its default hash."""
    from datasketch import MinHash

    MinHash.bulk(grams, num_perm=112)


def plain_quality(texts: list[str]) -> None:
    """datatrove's rules, the same word rule."""
    for text in texts:
        quality.measure(text, "datatrove", "unicode", "spaced", quality.ENGLISH_STOP_WORDS)


def plain_repetition(texts: list[str]) -> None:
    """datatrove's rules, the same word rule."""
    for text in texts:
        repetition.measure(text, unicode_words(text), "datatrove")


def contenders(texts: list[str]) -> dict[str, tuple[int, Callable[[], Any]]]:
    """Name -> (bytes of input, what to time)."""
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    size, small = (sum(len(text.encode()) for text in some) for some in (texts, sample))
    rows = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    grams = ngrams_of(sample)
    near, good, again = MinHashDuplicates(), GopherQuality(), GopherRepetition()
    return {
        "dedup.minhash": (size, lambda: near.sketch(rows)),
        "datasketch bulk, n-grams given": (small, lambda: datasketch_bulk(grams)),
        "filter.gopher-quality": (size, lambda: good.judge(rows)),
        "plain gopher quality": (small, lambda: plain_quality(sample)),
        "filter.gopher-repetition": (size, lambda: again.judge(rows)),
        "plain gopher repetition": (small, lambda: plain_repetition(sample)),
    }


def rates(texts: list[str]) -> dict[str, float]:
    """MB a CPU second of each contender, best of the repeats; slow peers run twice."""
    tasks = contenders(texts)
    best = dict.fromkeys(tasks, float("inf"))
    for repeat in range(REPEATS):
        for name, (_, work) in tasks.items():
            if repeat < 2 or "." in name:
                start = time.process_time()
                work()
                best[name] = min(best[name], time.process_time() - start)
    return {name: round(size / 1e6 / best[name], 3) for name, (size, _) in tasks.items()}


def main() -> None:
    """Measure every source and write the result."""
    folder = Path(os.environ.get("CORPUSMILL_TEST_DATA") or "data")
    if not folder.is_dir():
        raise SystemExit("set CORPUSMILL_TEST_DATA to the folder of test data")
    load = os.getloadavg()
    measured = {name: rates(texts_of(folder, name)) for name in SOURCES}
    ended = os.getloadavg()
    cores = os.cpu_count() or 1
    result = {
        "command": "python benchmarks/kernels/run.py",
        "unit": "MB of UTF-8 a CPU second, one thread",
        "method": f"best of {REPEATS} interleaved repeats (peers: of 2, on about {SAMPLE} documents of each source)",
        "megabytes_per_cpu_second": measured,
        "machine": {"processor": _processor(), "cores": cores, "system": platform.platform()},
        "load": {"before": load, "after": ended, "quiet": max(load[0], ended[0]) < cores * 0.6},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numba", "llvmlite", "numpy", "pyarrow", "datasketch")},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
