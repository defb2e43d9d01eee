"""py3langid's model as arrays, and the compiled walk that scores a batch of documents with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class LanguageModel:
    """A naive Bayes classifier over the features an automaton finds in bytes."""

    def __init__(self, identifier: Any, languages: Sequence[str] | None, merge: Mapping[str, str]):
        """Take the arrays of a py3langid identifier, labels renamed by `merge`; ValueError for an unknown language."""
        classes = [merge.get(name, name) for name in identifier.nb_classes]
        unknown = sorted(set(languages or ()) - set(classes))
        if unknown:
            raise ValueError(f"unknown language codes {unknown}")
        columns = [index for index, name in enumerate(classes) if languages is None or name in languages]
        named = [classes[index] for index in columns]
        self.languages = list(dict.fromkeys(named))
        # A label may have several columns of the model (scripts, varieties); their posteriors are added.
        self._label = np.array([self.languages.index(name) for name in named], np.int64)
        self._weights = np.ascontiguousarray(np.asarray(identifier.nb_ptc)[:, columns], np.float32)
        self._prior = np.asarray(identifier.nb_pc, np.float64)[columns]
        # Narrow types as they come: the walk jumps about in these tables and lives by what fits the cache.
        self._next = np.asarray(identifier.tk_nextmove)
        self._row = np.asarray(identifier.tk_row, np.int64)
        self._out = np.asarray(identifier.tk_output, np.int32)

    def classify(self, documents: Sequence[bytes]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the best language's index (rows,), -1 where no feature was found, and its probability (rows,)."""
        ends = np.cumsum([0, *map(len, documents)], dtype=np.int64)
        data = np.frombuffer(b"".join(documents), np.uint8)
        return _classify(
            data, ends, self._next, self._row, self._out, self._weights, self._prior, self._label, len(self.languages)
        )  # type: ignore[no-any-return]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def load(languages: Sequence[str] | None, merge: Mapping[str, str]) -> LanguageModel:
    """Return the model that ships with py3langid, restricted to some languages, some labels merged."""
    return _loaded(None if languages is None else tuple(sorted(languages)), tuple(sorted(merge.items())))


@cache
def _loaded(languages: tuple[str, ...] | None, merge: tuple[tuple[str, str], ...]) -> LanguageModel:
    # 100 MB of tables: the operators of one process share them.
    return LanguageModel(_identifier(), languages, dict(merge))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _classify(data, ends, nextmove, row, out, weights, prior, label, labels):  # type: ignore[no-untyped-def]
    rows = len(ends) - 1
    best, score = np.full(rows, -1, np.int64), np.zeros(rows)
    counts = np.zeros(weights.shape[0], np.int64)
    seen = np.empty(weights.shape[0], np.int64)
    for document in range(rows):
        found, state = 0, 0
        for at in range(ends[document], ends[document + 1]):
            state = nextmove[(row[state] << 8) + data[at]]
            feature = out[state]
            if feature >= 0:
                if counts[feature] == 0:
                    seen[found] = feature
                    found += 1
                counts[feature] += 1
        if found == 0:
            continue
        scores = prior.copy()
        for index in range(found):
            factor, line = np.log1p(float(counts[seen[index]])), weights[seen[index]]
            for one in range(len(scores)):
                scores[one] += factor * line[one]
            counts[seen[index]] = 0
        chances = _chances(scores, ends[document + 1] - ends[document], label, labels)
        best[document] = np.argmax(chances)
        score[document] = chances[best[document]]
    return best, score


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _chances(scores, length, label, labels):  # type: ignore[no-untyped-def]
    """Softmax with py3langid's temperature sqrt(bytes), columns of one label added."""
    top, scale, total = scores.max(), 1.0 / np.sqrt(length), 0.0
    chances = np.zeros(labels)
    for one in range(len(scores)):
        chance = np.exp((scores[one] - top) * scale)
        chances[label[one]] += chance
        total += chance
    return chances / total
