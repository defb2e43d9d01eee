"""MinHash against theory, exact Jaccard similarity and datasketch."""

from __future__ import annotations

import numpy as np
import pytest

from corpusmill_plugins.dedup.bands import detection
from corpusmill_plugins.kernels.plain.folding import folded_words
from corpusmill_plugins.kernels.signatures import band_keys, permutations, signatures
from corpusmill_plugins.kernels.text import TextBuffer

K = 112
PAIRS = 1500

Pairs = tuple[list[str], list[str], np.ndarray]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Pairs of 120-word texts, some words of the second replaced, with their exact Jaccard similarity of 5-grams."""
    random = np.random.default_rng(5)
    left, right, truth = [], [], []
    for _ in range(PAIRS):
        words = random.integers(0, 5000, 120)
        changed = np.where(random.random(120) < random.uniform(0.002, 0.12), random.integers(0, 5000, 120), words)
        texts = [" ".join(map(_word, one)) for one in (words, changed)]
        grams = [{tuple(split[i : i + 5]) for i in range(len(split) - 4)} for split in map(folded_words, texts)]
        left.append(texts[0])
        right.append(texts[1])
        truth.append(len(grams[0] & grams[1]) / len(grams[0] | grams[1]))
    return left, right, np.array(truth)


def _word(number: int) -> str:
    """A word of 5 to 9 letters that stands for a number."""
    letters = "".join(chr(97 + number // 26**place % 26) for place in range(3))
    return f"{chr(97 + number % 26)}{'xyz'[number % 3] * (number // 78 % 5)}q{letters}"


@pytest.fixture(scope="module")
def agreements(pairs: Pairs) -> np.ndarray:
    """Share of equal minima, float64 (8 seeds, pairs)."""
    left, right, _ = pairs
    sides = TextBuffer.of_texts(left), TextBuffer.of_texts(right)
    rows = []
    for seed in range(8):
        drawn = permutations(K, 1000 + seed)
        first, second = (signatures(side, 5, drawn)[0] for side in sides)
        rows.append((first == second).mean(axis=1))
    return np.array(rows)


def test_squared_error_is_that_of_theory(pairs: Pairs, agreements: np.ndarray) -> None:
    """The mean squared error of estimates is J(1-J)/K within 10 %."""
    truth = pairs[2]
    inside = (truth > 0.02) & (truth < 0.995)
    expected = (truth * (1 - truth) / K)[inside].mean()
    measured = ((agreements - truth) ** 2)[:, inside].mean()
    assert 0.9 < measured / expected < 1.1


def test_estimates_are_not_biased(pairs: Pairs, agreements: np.ndarray) -> None:
    """The mean error of estimates is below 0.005."""
    assert abs((agreements - pairs[2]).mean()) < 0.005


def test_bands_find_pairs_as_often_as_theory_says(pairs: Pairs) -> None:
    """In each bin of similarity, 14 x 8 bands find the share of pairs that 1-(1-s^8)^14 predicts, within 4 sigma."""
    left, right, truth = pairs
    hits = []
    for seed in range(8):
        drawn = permutations(K, 2000 + seed)
        keys = [band_keys(signatures(TextBuffer.of_texts(side), 5, drawn)[0], 14, 8) for side in (left, right)]
        hits.append((keys[0] == keys[1]).any(axis=1))
    found = np.array(hits)
    for low in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        inside = (truth >= low) & (truth < low + 0.1)
        expected = np.array([detection(one, 14, 8) for one in truth[inside]])
        sigma = np.sqrt((expected * (1 - expected)).mean() / found[:, inside].size)
        assert inside.sum() > 20
        assert abs(found[:, inside].mean() - expected.mean()) < 4 * sigma + 0.01, low


def test_estimates_agree_with_datasketch(pairs: Pairs, agreements: np.ndarray) -> None:
    """Over 150 pairs our estimates differ from datasketch's no more than two independent estimates may."""
    from datasketch import MinHash

    left, right, truth = (side[:150] for side in pairs)
    theirs = []
    for texts in zip(left, right, strict=True):
        sketches = []
        for text in texts:
            words = folded_words(text)
            sketch = MinHash(num_perm=K)
            sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
            sketches.append(sketch)
        theirs.append(sketches[0].jaccard(sketches[1]))
    difference = agreements[0, :150] - np.array(theirs)
    assert abs(difference.mean()) < 0.02
    assert (difference**2).mean() < 1.5 * (2 * truth * (1 - truth) / K).mean()


def test_all_bits_of_band_keys_are_used() -> None:
    """Keys are spread evenly: the exchange cuts their range into equal parts."""
    random = np.random.default_rng(1)
    keys = band_keys(random.integers(0, 2**32, (4000, 16), dtype=np.uint32), 2, 8).ravel()
    counts = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16)
    assert counts.min() > 400
    assert len(np.unique(keys)) == len(keys)
