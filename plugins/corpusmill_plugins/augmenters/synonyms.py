"""augment.synonyms: copies of documents in which some words are replaced by synonyms from a lexicon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from corpusmill import Augmented, Augmenter, option
from corpusmill_plugins.augmenters.lexicon import Lexicon, read_lexicon

if TYPE_CHECKING:
    import pyarrow as pa

_RUN = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")


class Synonyms(Augmenter):
    """Add copies of documents in which some words are replaced by synonyms (Wei and Zou 2019, the SR of EDA).

    Words are runs of Latin letters, looked up in small letters and replaced in the case they had (small, Capital,
    CAPITALS), and in runs of Han the longest entries of the lexicon from left to right. Each word that the lexicon
    knows is replaced with probability `rate`; whether, and by which synonym, is a hash of (seed, step, row id, copy,
    position), so a copy depends on its row alone. Originals stay, in front of their copies. A copy in which nothing
    was replaced is not made; neither is a copy equal to an earlier one of its row. Null texts have no copies.
    """

    class Options(Augmenter.Options):
        """The lexicon and how much of it to use."""

        lexicon: str = option(
            help="lines `word<TAB>synonym,synonym…`, or .json {word: [synonym, …]}; a path from the spec's folder"
        )
        rate: float = option(0.1, gt=0, le=1, help="probability that a known word is replaced", unit="share")
        copies: int = option(1, ge=1, le=100, help="most copies of one document", unit="rows")

    _lexicon: Lexicon | None = None

    def files(self) -> tuple[str, ...]:
        """The lexicon."""
        return (self.options.lexicon,)

    def setup(self) -> None:
        """Read the lexicon; raises InputError where it cannot be read."""
        self._lexicon = read_lexicon(self.options.lexicon, self.context.base)

    def augment(self, batch: pa.RecordBatch) -> Augmented:
        """Return originals and copies, grouped by parent, in input order."""
        import numpy as np
        import pyarrow as pa

        made = list(self._rows(batch))
        parent = np.fromiter((row for row, _, _ in made), np.int64, len(made))
        index = batch.schema.get_field_index(self.column)
        texts = pa.array([text for _, text, _ in made], pa.large_string())
        rows = batch.take(pa.array(parent)).set_column(index, batch.schema.field(index), texts)
        return Augmented(rows, parent, [deed for _, _, deed in made])

    def _rows(self, batch: pa.RecordBatch) -> Iterator[tuple[int, str | None, str | None]]:
        """Yield (input row, text, deed) of each output row."""
        ids = batch.column("id").to_pylist()
        for row, text in enumerate(self.texts(batch).to_pylist()):
            yield row, text, None
            seen = {text}
            for copy in range(self.options.copies if text else 0):
                changed, count = self.replace(text, ids[row], copy)
                if changed not in seen:
                    seen.add(changed)
                    yield row, changed, f"synonyms: {count} words"

    def replace(self, text: str, row_id: object, copy: int) -> tuple[str, int]:
        """Return one copy of a text, and how many words were replaced in it."""
        if self._lexicon is None:
            self.setup()
        lexicon = self._lexicon or Lexicon({})
        salt = f"{self.seed}\x00{self.context.step}\x00{row_id}\x00{copy}\x00"
        pieces, done, count = [], 0, 0
        for start, stop in _words(text, lexicon):
            chosen = self._choose(lexicon.synonyms, text[start:stop], f"{salt}{start}")
            if chosen is not None:
                pieces += [text[done:start], chosen]
                done, count = stop, count + 1
        return "".join([*pieces, text[done:]]), count

    def _choose(self, synonyms: Mapping[str, tuple[str, ...]], word: str, salt: str) -> str | None:
        """Return the replacement of one word, or None to leave it."""
        from xxhash import xxh3_128_intdigest

        drawn = xxh3_128_intdigest(salt.encode())
        if (drawn >> 75) / 9007199254740992.0 >= self.options.rate:  # the upper 53 of 128 bits
            return None
        known = synonyms[word.lower()]
        return _in_case_of(word, known[(drawn & 0xFFFFFFFF) % len(known)])


def _words(text: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Yield the places (start, stop) of the words that the lexicon knows."""
    for run in _RUN.finditer(text):
        start, stop = run.span()
        if text[start] < "\u3000":
            if run.group().lower() in lexicon.synonyms:
                yield start, stop
            continue
        while start < stop:
            end = min(stop, start + lexicon.longest)
            while end > start and text[start:end] not in lexicon.synonyms:
                end -= 1
            if end > start:
                yield start, end
            start = max(end, start + 1)


def _in_case_of(word: str, synonym: str) -> str:
    if len(word) > 1 and word.isupper():
        return synonym.upper()
    return synonym[:1].upper() + synonym[1:] if word[:1].isupper() else synonym
