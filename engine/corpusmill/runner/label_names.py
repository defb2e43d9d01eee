"""Names of split labels in the names of exported files: a label may come from data, so each gets one of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from corpusmill.dataset.hashing import hash_bytes

_LONGEST = 40
_HASH = 8


def file_stems(labels: Iterable[str]) -> dict[str, str]:
    """Return for each label what the names of its files begin with: letters, digits and underscores, no two alike.

    A label says itself where it can (`hard-cases`: `hard_cases`); one that is long, or that others would share the
    name of whatever the case of letters, gets a piece of its hash behind it.
    """
    every = list(dict.fromkeys(labels))
    plain = {label: re.sub(r"[^A-Za-z0-9_]+", "_", label) for label in every}
    shared = Counter(stem.casefold() for stem in plain.values())
    return {
        label: stem
        if shared[stem.casefold()] == 1 and stem.strip("_") and len(stem) <= _LONGEST
        else f"{stem[:_LONGEST].strip('_') or 'split'}_{hash_bytes(label.encode('utf-8', 'replace'))[:_HASH]}"
        for label, stem in plain.items()
    }
