"""Plans of windows over tokenised documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpusmill import Packer, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ConcatenateAndCut(Packer):
    """Join the documents of a split in order and cut them into windows of equal length.

    A window predicts `window` tokens and so holds `window + 1` ids: the last id of one is the first of the next, and
    each token but the very first of a split is predicted exactly once. The last window of a split may be short.
    A document ends with the tokenizer's `<|endoftext|>`, else with the `eos_token` of its `tokenizer_config.json`.
    """

    version = 1

    class Options(Packer.Options):
        """Length of a window and what ends a document."""

        window: int = option(256, ge=1, le=1_048_576, unit="tokens", help="predicted tokens in a window")
        add_end: bool = option(True, help="append the end-of-text token to each document")

    def window(self) -> int:
        """Predicted tokens in a full window."""
        return int(self.options.window)

    def windows(self, lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        """Return int64 arrays (window, document, start, stop) sorted by window, then document.

        `lengths`: tokens of each document, int64 (documents,). Empty documents appear in no row. A split with fewer
        than two tokens has nothing to predict and no window.
        """
        import numpy as np

        ends = np.cumsum(np.asarray(lengths, np.int64), dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        count = max(0, -(-(total - 1) // self.window()))
        begin = np.arange(count, dtype=np.int64) * self.window()
        finish = np.minimum(begin + self.window() + 1, total)
        first = np.searchsorted(ends, begin, side="right")
        last = np.searchsorted(ends, finish - 1, side="right")
        window, document = _expand(first, last - first + 1)
        origin = ends[document] - lengths[document]
        start = np.maximum(begin[window] - origin, 0)
        stop = np.minimum(finish[window] - origin, lengths[document])
        filled = stop > start
        return window[filled], document[filled], start[filled], stop[filled]


def _expand(
    first: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (group, value): for each group the run of `counts` integers that begins at `first`."""
    import numpy as np

    group = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    before = np.cumsum(counts) - counts
    value = np.arange(len(group), dtype=np.int64) - before[group] + first[group]
    return group, value.astype(np.int64)
