"""The baseline of language modelling: each token by its frequency alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from corpusmill import Windows

CHUNK = 4096
"""Windows read at a time."""


def count_predicted(windows: Windows, vocabulary: int) -> npt.NDArray[np.int64]:
    """Return how often each id is predicted, int64 (vocabulary,): all ids but the first of the stream."""
    import numpy as np

    counts = np.zeros(vocabulary, np.int64)
    for start in range(0, len(windows), CHUNK):
        targets = windows.take(np.arange(start, min(start + CHUNK, len(windows))))[:, 1:]
        counts += np.bincount(targets[targets >= 0], minlength=vocabulary)
    return counts


def count_all(windows: Windows, vocabulary: int) -> npt.NDArray[np.int64]:
    """Return how often each id occurs in a stream, int64 (vocabulary,)."""
    import numpy as np

    counts = count_predicted(windows, vocabulary)
    if len(windows):
        counts[windows.take(np.zeros(1, np.int64))[0, 0]] += 1
    return counts


def add_one_perplexity(train: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Return the perplexity of p(t) = (train[t] + 1) / (sum(train) + vocabulary) on tokens counted in `predicted`.

    Both: int64 (vocabulary,). Laplace's rule of succession; sums in float64.
    """
    import numpy as np

    logs = np.log(train + 1.0) - math.log(float(train.sum()) + len(train))
    return math.exp(-float((predicted * logs).sum()) / float(predicted.sum()))
