"""How many words texts and their segments have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from corpusmill_plugins.kernels.text import TextBuffer

_UNSPACED = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
_UNSPACED += "\U00020000-\U000323af"
_SPACES = "\\t-\\r\\x1c-\\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_WORD = f"[{_UNSPACED}]|[^{_SPACES}{_UNSPACED}]+"


def count_words(texts: pa.Array) -> npt.NDArray[np.int64]:
    """Return int64 (rows,): runs between white space, each Han ideograph and kana one of its own; a null has none.

    The rule of filter.length.
    """
    import numpy as np
    import pyarrow.compute as pc

    counted = pc.fill_null(pc.count_substring_regex(texts, _WORD), 0)
    return np.asarray(counted.to_numpy(zero_copy_only=False), np.int64)


def segment_words(
    texts: TextBuffer, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return int64 (n,): the words of each segment of the buffer; segments ascend and do not overlap."""
    import numpy as np
    import pyarrow as pa

    if not len(starts):
        return np.zeros(0, np.int64)
    # Segments and what lies between them, in turns: one string array over the buffer, nothing copied.
    edges = np.stack([starts, stops], axis=1).ravel()
    array = pa.LargeStringArray.from_buffers(len(edges) - 1, pa.py_buffer(edges), pa.py_buffer(texts.data))
    return count_words(array)[::2]


def count_characters(
    texts: TextBuffer, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return int64 (n,): the characters of each range of the buffer."""
    import numpy as np

    before = np.zeros(len(texts.data) + 1, np.int64)
    np.cumsum((texts.data & 0xC0) != 0x80, out=before[1:])
    counted: npt.NDArray[np.int64] = before[stops] - before[starts]
    return counted
