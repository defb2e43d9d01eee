"""Scores of guesses against the truth, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def confusion(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Return int64 (classes, classes): how often class `row` was called `column`."""
    import numpy as np

    return np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)


def classification(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64], names: list[str]) -> dict[str, Any]:
    """Return the scores of a classifier; arrays are int64 (n,), n >= 1, indices into `names`.

    F1 = 2 hits / (true + guessed), 0 where a class was never right; `f1_macro` is its mean over the classes that
    occur in truth or guesses. `majority_baseline`: accuracy of always naming the most frequent true class.
    `confusion[true][guessed]` counts, classes as `classes` lists them.
    """
    import numpy as np

    table = confusion(truth, guess, len(names))
    hits, true, guessed = np.diag(table), table.sum(1), table.sum(0)
    present = np.flatnonzero(true + guessed)
    f1 = 2 * hits[present] / (true + guessed)[present]
    return {
        "n": len(truth),
        "accuracy": float(hits.sum() / len(truth)),
        "f1_macro": float(f1.mean()),
        "majority_baseline": float(true.max() / len(truth)),
        "f1": {names[index]: float(score) for index, score in zip(present, f1, strict=True)},
        "classes": list(names),
        "confusion": table.tolist(),
    }
