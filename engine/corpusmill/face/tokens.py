"""Tokens for Python: a packed corpus of a store, its windows as NumPy arrays or as a torch dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusmill.errors import UsageError, nearest
from corpusmill.face.conversion import needed
from corpusmill.runner.tokens import TokenSet, TokenWindows

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch.utils.data


@dataclass(frozen=True)
class TokenDataset:
    """Windows of tokens, opened with `corpusmill.open_tokens`; memory-mapped, nothing is copied before it is taken.

    A window holds up to `window + 1` ids: the last id of one is the first of the next, so that every token is
    predicted exactly once.
    """

    stored: TokenSet
    label: str | None = None
    """The split label that it is narrowed to."""

    def __len__(self) -> int:
        """The number of windows of the split, or of all splits."""
        return sum(self.stored.splits[label].windows for label in self._labels)

    def __repr__(self) -> str:
        shown = f", split {self.label!r}" if self.label is not None else f", splits {self.splits}"
        return f"<corpusmill.TokenDataset {self.digest[:12]}: {len(self)} windows of {self.window} tokens{shown}>"

    @property
    def digest(self) -> str:
        """What names the content."""
        return self.stored.digest

    @property
    def window(self) -> int:
        """Predicted tokens in a full window."""
        return self.stored.window

    @property
    def vocabulary_size(self) -> int:
        """How many ids the tokenizer has."""
        return self.stored.vocabulary_size

    @property
    def tokens(self) -> int:
        """How many tokens the split has, or all splits."""
        return sum(self.stored.splits[label].tokens for label in self._labels)

    @property
    def splits(self) -> dict[str, int]:
        """Split label -> windows; the label of documents without one is ''."""
        return {label: self.stored.splits[label].windows for label in self._labels}

    def split(self, label: str) -> TokenDataset:
        """Return the windows of one split; raises UsageError for a label that is not there."""
        if label not in self.splits:
            near = nearest(label, self.splits)
            raise UsageError(
                f"no split {label!r}",
                where=repr(self),
                expected=f"one of {', '.join(map(repr, self.splits))}",
                hint=f"did you mean {near!r}?" if near else None,
            )
        return replace(self, label=label)

    def windows(self) -> TokenWindows:
        """Return random access to the windows of the split: `take(numbers)` gives int64 (n, window + 1).

        Raises UsageError where there are several splits and none was chosen.
        """
        if len(self._labels) != 1:
            raise UsageError(
                "windows are numbered within a split",
                where=repr(self),
                expected=f"one of the splits {', '.join(map(repr, self._labels))}",
                hint="tokens.split('train')",
            )
        return self.stored.windows(self._labels[0])

    def batches(self, size: int = 256) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the windows of the split in order as int64 (up to `size`, window + 1), padded with -1."""
        windows = self.windows()
        for start in range(0, len(windows), size):
            yield windows.take(np.arange(start, min(start + size, len(windows))))

    def to_torch(self) -> torch.utils.data.Dataset[dict[str, Any]]:
        """Return a torch Dataset of the split's windows, by number, as models of transformers take them.

        `input_ids`, `attention_mask` and `labels`, int64 (window + 1,): the models shift the labels themselves;
        padding after a short window has the label -100. Raises UsageError where torch is not installed.
        """
        needed("torch", "to_torch()", "corpusmill[train]")
        from corpusmill.face.torch_data import windows

        return windows(self)

    @property
    def _labels(self) -> list[str]:
        return sorted(self.stored.splits) if self.label is None else [self.label]
