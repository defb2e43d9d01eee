"""dedup.minhash through the engine's exchange, against exact Jaccard similarities of real versions of documents."""

from __future__ import annotations

import json
import lzma
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from corpusmill.dataset.store import FileRef, Store
from corpusmill.exchange.link_file import read_links
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill_plugins.kernels.plain.folding import folded_words

SOURCES = ("pep-history", "pg-editions", "zh-laws-versions")
CLUSTERS, CHARACTERS = 70, 8000
THRESHOLD = 0.7


@dataclass(frozen=True)
class Found:
    """What a run linked and what is true: pairs of rows (lower, higher), and the exact similarity of every pair."""

    links: set[tuple[int, int]]
    truth: dict[tuple[int, int], float]


def versions(folder: Path, name: str) -> list[str]:
    """The oldest, the newest and two between of up to 70 documents that have versions; what is alike varies most so."""
    clusters: dict[str, list[str]] = defaultdict(list)
    with lzma.open(folder / "c_neardup" / name / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            clusters[row["cluster"]].append(row["text"][:CHARACTERS])
    several = [texts for texts in clusters.values() if len(texts) > 1]
    chosen = several[:: max(1, len(several) // CLUSTERS)][:CLUSTERS]
    return [
        texts[at] for texts in chosen for at in sorted({len(texts) * part // 3 for part in range(3)} | {len(texts) - 1})
    ]


def exact(texts: list[str]) -> dict[tuple[int, int], float]:
    """Exact Jaccard similarity of the sets of 5 folded words, of every pair that shares one."""
    grams = []
    for text in texts:
        words = folded_words(text)
        grams.append({tuple(words[at : at + 5]) for at in range(max(len(words) - 4, 1))})
    shared = {pair: len(grams[pair[0]] & grams[pair[1]]) for pair in combinations(range(len(texts)), 2)}
    sizes = [len(one) for one in grams]
    return {(a, b): both / (sizes[a] + sizes[b] - both) for (a, b), both in shared.items() if both}


def linked(folder: Path, texts: list[str]) -> set[tuple[int, int]]:
    """Run dedup.minhash on the texts; return the pairs of rows its join linked."""
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    steps = [
        {"id": "documents", "uses": "read.jsonl", "with": {"paths": "texts.jsonl"}},
        {"id": "near", "uses": "dedup.minhash", "with": {"threshold": THRESHOLD}},
    ]
    (folder / "spec.yaml").write_text(json.dumps({"corpusmill": 1, "name": "truth", "steps": steps}))
    store = Store(str(folder / "store"))
    run_spec(check(folder / "spec.yaml"), RunOptions(store=store.uri, debug=True))
    records = [json.loads(path.read_text()) for path in (folder / "store" / "commits").rglob("*.json")]
    # One file is one part, so that rows of links are rows of the file.
    assert [record["part"][1] for record in records if "part" in record] == [len(texts)]
    files = [FileRef.from_json(record["links"]) for record in records if "links" in record]
    chunks = list(read_links([store.path(file) for file in files]))
    return {(int(left), int(right)) for chunk in chunks for left, right in chunk}


@pytest.fixture(scope="module", params=SOURCES)
def found(request: pytest.FixtureRequest, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    texts = versions(test_data, request.param)
    return Found(linked(tmp_path_factory.mktemp("truth"), texts), exact(texts))


def test_the_sample_can_tell(found: Found) -> None:
    """There are pairs enough on both sides of the threshold for the shares of the other tests to mean something."""
    values = np.array(list(found.truth.values()))
    assert (values >= 0.8).sum() >= 25
    assert (values < THRESHOLD).sum() >= 25


def test_links_are_true(found: Found) -> None:
    """At least 97 % of linked pairs have an exact similarity at or above the threshold; none is far below it."""
    values = np.array([found.truth.get(pair, 0.0) for pair in found.links])
    assert (values >= THRESHOLD).mean() >= 0.97
    assert values.min() > THRESHOLD - 0.15


def test_alike_pairs_are_linked(found: Found) -> None:
    """At least 95 % of pairs with an exact similarity of 0.8 or more are linked."""
    alike = [pair for pair, value in found.truth.items() if value >= 0.8]
    assert sum(pair in found.links for pair in alike) / len(alike) >= 0.95
