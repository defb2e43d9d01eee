"""Claims about deduplicators: keys, evidence, similarity and rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim, promised
from corpusmill.testing.findings import Fault, NotApplicable, shown
from corpusmill.testing.settling import alternatives
from corpusmill.testing.shrinking import Texts, smallest

_MANY = 400
"""Different documents whose keys are looked at; in each quarter of the range about 100 are expected."""
_FEW = 20
_LONG = (1, 8, 64)
"""Paragraphs of these documents."""


def check_symmetry(bench: Bench) -> Fault | None:
    """The similarity of a pair does not depend on its order, and a document is wholly similar to itself."""
    bench.made()
    evidence = _evidence(bench)
    left, right = (index.ravel() for index in np.indices((len(evidence), len(evidence))))
    found = attempt(
        bench.operator,
        lambda: (
            np.asarray(bench.one.similarity(evidence[left], evidence[right])),
            np.asarray(bench.one.similarity(evidence[right], evidence[left])),
        ),
    )
    if isinstance(found, Raised):
        return Fault(f"similarity() raised {found.words}", where=found.where)
    forth, back = found
    if forth.shape != left.shape or forth.dtype.kind != "f":
        return bench.fault(f"similarity() of {len(left)} pairs returned {forth.dtype} of shape {forth.shape}")
    texts = [text for text, (keys, _, _) in zip(bench.texts, bench.outcome(bench.texts), strict=True) if keys]
    unequal = np.flatnonzero(~((forth == back) | (np.isnan(forth) & np.isnan(back))))
    if len(unequal):
        one, other = int(left[unequal[0]]), int(right[unequal[0]])
        seen = f"similarity is {forth[unequal[0]]:g} from left to right and {back[unequal[0]]:g} from right to left"
        return bench.fault(seen, smallest([texts[one], texts[other]], lambda some: _unequal(bench, some), fewest=2))
    own = forth[left == right]
    low = np.flatnonzero(~(own >= bench.one.threshold()))
    if len(low):
        seen = f"a document's similarity to itself is {own[low[0]]:g}, below the threshold {bench.one.threshold():g}"
        return bench.fault(seen, [texts[int(low[0])]])
    return None


def _unequal(bench: Bench, texts: Texts) -> bool:
    """True where the similarity of two texts depends on their order."""
    evidence = _evidence(bench, texts)
    if len(evidence) != len(texts):
        return False
    one, other = evidence[:1], evidence[1:2]
    return bool(bench.one.similarity(one, other)[0] != bench.one.similarity(other, one)[0])


def _evidence(bench: Bench, texts: Texts | None = None) -> Any:
    """Return the evidence of the rows that have keys; only those are ever compared."""
    if not bench.operator.verifies:
        raise NotApplicable("it does not verify: equal keys are duplicates")
    sketch = bench.one.sketch(bench.batch(bench.texts if texts is None else texts))
    if sketch.evidence is None:
        raise NotApplicable("it verifies without evidence")
    return np.asarray(sketch.evidence)[np.unique(sketch.rows)]


def check_rank(bench: Bench) -> Fault | None:
    """Every rank is a number, so that of two documents one is the better or input order decides."""
    bench.made()
    ranks = bench.one.rank(bench.batch(bench.texts))
    for options in alternatives(bench.options, "keep") if "keep" in type(bench.options).model_fields else ():
        ranks = bench.build(options=options).rank(bench.batch(bench.texts)) if ranks is None else ranks
    if ranks is None:
        return None
    wrong = np.flatnonzero(np.isnan(np.asarray(ranks, np.float64)))
    if len(wrong):
        return bench.fault(
            "rank() is NaN, which is neither better nor worse than any other", [bench.texts[int(wrong[0])]]
        )
    return None


def check_mixed_keys(bench: Bench) -> Fault | None:
    """Keys of different documents fill the range: the exchange cuts it evenly."""
    bench.made()
    high = _different_keys(bench)
    if not len(high) and bench.operator.unit == "segment":
        raise NotApplicable(f"it compares more than {_LONG[-1]} segments at a time")
    if len(high) < _MANY // 2:
        return None if set(bench.reads) != {bench.one.column} else _same_keys(bench, len(high))
    quarters = np.bincount((high >> np.uint64(62)).astype(np.int64), minlength=4)
    if quarters.min() * _FEW < len(high):
        seen = f"of {len(high)} different keys {quarters.max()} lie in one quarter of the range of 64 bits"
        return bench.fault(seen, shown=f"{_MANY} different documents")
    return None


def _different_keys(bench: Bench) -> Any:
    """Return the different keys (their first halves) of different documents, uint64; long ones where short have few.

    An operator that compares windows of several segments has no keys for texts shorter than a window.
    """
    for segments in _LONG:
        texts = [_nonsense(row, segments) for row in range(_MANY)]
        keys = np.asarray(bench.one.sketch(bench.batch(texts)).keys)
        high = np.unique(keys[:, 0] if keys.ndim == 2 else keys)
        if len(high) >= _MANY // 2:
            break
    return high


def _nonsense(row: int, segments: int) -> str:
    """Return paragraphs of twelve words of letters alone: what operators fold away makes no two alike.

    Each paragraph is a line and a sentence, too.
    """
    generator = np.random.default_rng(row)
    letters = generator.integers(ord("a"), ord("z") + 1, (segments, 12, 6)).tolist()
    return ".\n\n".join(" ".join("".join(map(chr, word)) for word in words) for words in letters)


def _same_keys(bench: Bench, different: int) -> Fault:
    return bench.fault(f"{_MANY} different documents got {different} different keys", shown=f"{_MANY} documents")


def check_key_options(bench: Bench) -> Fault | None:
    """Options outside `key_options` change no key, evidence or rank: sketches are cached without them."""
    made = list(bench.made().values())
    fields = type(bench.options).model_fields
    unknown = [name for name in bench.operator.key_options if name not in fields]
    if unknown:
        return bench.fault(f"key_options names {unknown[0]!r}, which is no option")
    for name in fields:
        if name in bench.operator.key_options:
            continue
        for options in alternatives(bench.options, name):
            kept = all(getattr(options, one) == getattr(bench.options, one) for one in bench.operator.key_options)
            if kept and bench.outcome(bench.texts, bench.build(options=options)) != made:
                return bench.fault(
                    f"{name}={shown(getattr(options, name))} changes keys, but key_options lacks {name!r}"
                )
    return None


CLAIMS = (
    Claim(
        "keys",
        "a sketch holds uint64 keys, each with the row of the batch it belongs to, and evidence for every row",
        "return Sketch(keys (n,) or (n, 2) uint64, rows (n,) int64, evidence (rows, k) or None)",
        promised,
        ("dedup",),
    ),
    Claim(
        "symmetric",
        "similarity(left, right) equals similarity(right, left), and a document is a duplicate of itself",
        "divide by what both sides share (the union, the longer one), not by the left side",
        check_symmetry,
        ("dedup",),
        ("memory",),
    ),
    Claim(
        "rank",
        "rank is a total order: a number for every document",
        "give documents without a value the worst rank, float('inf')",
        check_rank,
        ("dedup",),
        ("memory",),
    ),
    Claim(
        "mixed-keys",
        "keys of different documents are spread over the whole range of 64 bits",
        "hash the key (xxh3), do not count or shift it; small numbers all go to one partition",
        check_mixed_keys,
        ("dedup",),
        ("memory",),
    ),
    Claim(
        "key-options",
        "key_options names every option that changes keys, evidence or rank",
        "add the option to key_options: cached sketches would be taken for the wrong ones",
        check_key_options,
        ("dedup",),
        ("memory",),
    ),
)
