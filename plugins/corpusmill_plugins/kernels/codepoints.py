"""What the kernels know of each code point: class flags and its folded form, in two-stage tables.

`codepoints.npz` is built from `unicodedata` by `python -m corpusmill_plugins.kernels.codepoints` and shipped, so
results
do not change with the Python that runs them (`UNICODE` says the version). A code point unassigned in that version
has no
flag and separates words when folded.

*Layout.* A table is `index` uint16 (8192,), code point >> 8 -> page, and `pages` (pages * 256,): the entry of `c` is
`pages[index[c >> 8] * 256 + (c & 255)]`. The index covers 2^21 numbers, not 0x110000, so that no invalid byte can lead
outside it.

*Flags* (uint16): the constants below. *Folds* (uint32): kind << 29 | value. SEPARATOR, DROP (part of a word, without a
trace), LETTER and SOLO (a word of its own): value is (folded - c) mod 2^21, a difference, so that all pages of letters
that fold to themselves are one page. EXPAND: value is a place in `expansions` uint32: a count, then that many items,
each 0 (separator) or a code point, with bit 31 set for SOLO.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusmill_plugins.kernels.plain.characters import FLAGS, fold_character, is_solo

UNICODE = "14.0.0"
FILE = Path(__file__).parent / "codepoints.npz"

SEPARATOR, DROP, LETTER, SOLO, EXPAND = range(5)
SOLO_ITEM = 0x80000000


@dataclass(frozen=True)
class CodePoints:
    """The tables, as the kernels take them; `ascii_flags` uint16 (128,) is the first half page of the flags."""

    flag_index: npt.NDArray[np.uint16]
    flag_pages: npt.NDArray[np.uint16]
    fold_index: npt.NDArray[np.uint16]
    fold_pages: npt.NDArray[np.uint32]
    expansions: npt.NDArray[np.uint32]
    ascii_flags: npt.NDArray[np.uint16]

    def flags(self, character: str) -> int:
        """The flags of one character."""
        point = ord(character)
        return int(self.flag_pages[int(self.flag_index[point >> 8]) * 256 + (point & 255)])


@cache
def tables() -> CodePoints:
    """Load the shipped tables."""
    with np.load(FILE, allow_pickle=False) as stored:
        if str(stored["unicode"]) != UNICODE:
            raise RuntimeError(f"{FILE.name} is of Unicode {stored['unicode']}, this code expects {UNICODE}")
        arrays = {name: stored[name] for name in stored.files if name != "unicode"}
    first = int(arrays["flag_index"][0]) * 256
    return CodePoints(**arrays, ascii_flags=arrays["flag_pages"][first : first + 128].copy())


def build() -> dict[str, npt.NDArray[np.generic]]:
    """Make the tables from `unicodedata`, which must be of version `UNICODE`."""
    if unicodedata.unidata_version != UNICODE:
        raise RuntimeError(f"this Python knows Unicode {unicodedata.unidata_version}, the tables are of {UNICODE}")
    flags = np.zeros(1 << 21, np.uint16)
    for point, character in _assigned():
        flags[point] = sum(bit for bit, holds in FLAGS.values() if holds(character))
    folds, expansions = _folds()
    flag_index, flag_pages = _two_stages(flags)
    fold_index, fold_pages = _two_stages(folds)
    return {
        "unicode": np.array(UNICODE),
        "flag_index": flag_index,
        "flag_pages": flag_pages,
        "fold_index": fold_index,
        "fold_pages": fold_pages,
        "expansions": expansions,
    }


def _assigned() -> Iterator[tuple[int, str]]:
    for point in range(0x110000):
        if unicodedata.category(chr(point)) not in ("Cn", "Cs"):
            yield point, chr(point)


def _folds() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    entries = np.zeros(1 << 21, np.uint32)
    expansions: list[int] = []
    for point, character in _assigned():
        items = fold_character(character)
        if len(items) == 1 and items[0] != "":
            kind = SOLO if is_solo(items[0]) else LETTER
            entries[point] = kind << 29 | (ord(items[0]) - point) % (1 << 21)
        elif items != [""]:
            entries[point] = EXPAND << 29 | len(expansions) if items else DROP << 29
            if items:
                expansions += [len(items), *map(_item, items)]
    return entries, np.array(expansions, np.uint32)


def _item(item: str) -> int:
    if not item:
        return 0
    return ord(item) | (SOLO_ITEM if is_solo(item) else 0)


def _two_stages(entries: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.generic]]:
    pages, index = np.unique(entries.reshape(-1, 256), axis=0, return_inverse=True)
    return index.astype(np.uint16).ravel(), np.ascontiguousarray(pages.ravel())


if __name__ == "__main__":
    save: Callable[..., None] = np.savez_compressed
    save(FILE, **build())
