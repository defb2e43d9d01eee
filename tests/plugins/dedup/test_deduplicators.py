"""dedup.exact and dedup.minhash: keys, normalisation, candidates, similarity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from corpusmill_plugins.dedup.bands import PERMUTATIONS, best_bands
from corpusmill_plugins.dedup.exact import ExactDuplicates
from corpusmill_plugins.dedup.minhash import MinHashDuplicates

ENGLISH = "the quick brown fox jumps over the lazy dog while seven wizards quietly box with five jugs of liquor " * 3
CHINESE = "为了加强大气污染防治，保护和改善环境，保障公众健康，推进生态文明建设，促进经济社会可持续发展，制定本条例。"
CHINESE += (
    "本市行政区域内的大气污染防治及其监督管理，适用本条例。大气污染防治应当坚持源头治理、规划先行、公众参与的原则。"
)
CHINESE += "市、县人民政府应当将大气污染防治工作纳入国民经济和社会发展规划，加大财政投入，转变经济发展方式。"


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def groups(texts: list[str | None], **options: object) -> list[list[int]]:
    """Rows that share an exact key."""
    sketch = ExactDuplicates(ExactDuplicates.Options(**options)).sketch(batch(texts))
    found: dict[tuple[int, ...], list[int]] = {}
    for key, row in zip(sketch.keys.tolist(), sketch.rows.tolist(), strict=True):
        found.setdefault(tuple(key), []).append(row)
    return sorted(found.values())


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [
        ("none", [[0], [1], [2], [3], [6], [7]]),
        ("whitespace", [[0, 1], [2], [6], [7]]),
        ("casefold", [[0, 2], [1], [3], [6, 7]]),
        ("casefold-whitespace", [[0, 1, 2], [6, 7]]),
    ],
)
def test_normalisation_says_what_is_the_same(normalise: str, expected: list[list[int]]) -> None:
    """Each normalisation joins exactly the texts it says; null and empty (after it) have no key."""
    texts = ["a b", " a\tb\n", "A B", " ", None, "", "caf\u00c9", "cafe\u0301"]
    assert groups(texts, normalise=normalise) == expected


def test_exact_keys_do_not_depend_on_the_batch() -> None:
    """Keys of a slice are the keys of its rows; they are xxh3-128 of the bytes."""
    from xxhash import xxh3_128_intdigest

    rows = batch(["x", "one", None, "two"])
    sketch = ExactDuplicates().sketch(rows.slice(1))
    assert sketch.keys.dtype == np.uint64
    assert sketch.rows.tolist() == [0, 2]
    assert [int(high) << 64 | int(low) for high, low in sketch.keys] == list(map(xxh3_128_intdigest, (b"one", b"two")))


def test_nothing_gives_no_keys() -> None:
    """A batch without text has keys of the right shape and no row."""
    for operator, shape in ((ExactDuplicates(), (0, 2)), (MinHashDuplicates(), (0,))):
        for texts in ([], [None, ""]):
            assert operator.sketch(batch(texts)).keys.shape == shape


def test_longest_ranks_by_characters() -> None:
    """`keep: longest` prefers the longer text, counted in characters, null last; `first` leaves it to input order."""
    rows = batch(["abc", "\u4e2d\u6587", None])
    for kind in (ExactDuplicates, MinHashDuplicates):
        rank = kind(kind.Options(keep="longest")).rank(rows)
        assert rank is not None
        assert rank.tolist() == [-3.0, -2.0, 0.0]
        assert kind().rank(rows) is None


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_near_duplicates_meet_and_others_do_not(text: str) -> None:
    """A copy with a few words changed shares a band and is similar; a text of the same language is neither."""
    changed = text.replace("seven", "nine", 1).replace("可持续", "高质量", 1)
    other = " ".join(reversed(text.split())) if text is ENGLISH else text[::-1]
    operator = MinHashDuplicates()
    sketch = operator.sketch(batch([text, changed, other]))
    keys = sketch.keys.reshape(3, operator.options.bands)
    assert sketch.evidence is not None
    alike = operator.similarity(sketch.evidence[[0, 0]], sketch.evidence[[1, 2]])
    assert changed != text
    assert (keys[0] == keys[1]).any()
    assert not (keys[0] == keys[2]).any()
    assert alike[0] >= operator.threshold() > alike[1]


def test_folding_forgives_case_marks_punctuation_and_numbers() -> None:
    """Texts that differ only in these are equal to MinHash; documents without a word have no keys."""
    texts = ["Caf\u00e9 opened in 1998, we think.", "CAFE opened in 7 - we think", "?! ...", "", None]
    sketch = MinHashDuplicates().sketch(batch(texts))
    keys = sketch.keys.reshape(2, 14)
    assert sketch.rows.tolist() == [0] * 14 + [1] * 14
    assert keys[0].tolist() == keys[1].tolist()


def test_short_documents_are_one_ngram() -> None:
    """Fewer words than an n-gram: equal documents meet, others do not."""
    sketch = MinHashDuplicates().sketch(batch(["three words only", "Three words, only!", "three words"]))
    keys = sketch.keys.reshape(3, 14)
    assert keys[0].tolist() == keys[1].tolist()
    assert not (keys[0] == keys[2]).any()


def test_bands_follow_from_the_threshold() -> None:
    """0.7 gives datatrove's 14 x 8; the rule is datasketch's optimum; what is given stays; sketches hang on bands."""
    from datasketch.lsh import _optimal_param

    assert best_bands(0.7) == (14, 8)
    for threshold in (0.5, 0.6, 0.8, 0.9):
        assert best_bands(threshold) == _optimal_param(threshold, PERMUTATIONS, 0.35, 0.65)
    given = MinHashDuplicates.Options(threshold=0.9, bands=20)
    assert (given.bands, given.rows) == (20, 5)
    assert "threshold" not in MinHashDuplicates.key_options
    with pytest.raises(ValidationError):
        MinHashDuplicates.Options(threshold=0)


def test_unverified_candidates_need_no_similarity() -> None:
    """`verify: none` asks nothing of candidates; `signature` asks the threshold."""
    assert MinHashDuplicates(MinHashDuplicates.Options(verify="none")).threshold() == 0.0
    assert MinHashDuplicates(MinHashDuplicates.Options(threshold=0.8)).threshold() == 0.8
