"""Token sets: what `tokens.pack` leaves in the store, and random access to its windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.hashing import canonical_json, hash_json
from corpusmill.dataset.store import FORMAT, FileRef, Store, damaged_manifest, expect_format, read_manifest
from corpusmill.errors import StoreError


@dataclass(frozen=True)
class TokenPart:
    """One file of encoded documents: rows and tokens it holds."""

    digest: str
    rows: int
    tokens: int
    file: FileRef

    def to_json(self) -> list[Any]:
        """Return the part as it stands in manifests."""
        return [self.digest, self.rows, self.tokens, self.file.to_json()]

    @staticmethod
    def from_json(value: Sequence[Any]) -> TokenPart:
        """Read a part from a manifest."""
        return TokenPart(value[0], value[1], value[2], FileRef.from_json(value[3]))


@dataclass(frozen=True)
class TokenSplit:
    """The windows of one label: counts and the file of the plan."""

    windows: int
    tokens: int
    text_bytes: int
    documents: int
    file: FileRef

    def to_json(self) -> list[Any]:
        """Return the split as it stands in manifests."""
        return [self.windows, self.tokens, self.text_bytes, self.documents, self.file.to_json()]

    @staticmethod
    def from_json(value: Sequence[Any]) -> TokenSplit:
        """Read a split from a manifest."""
        return TokenSplit(value[0], value[1], value[2], value[3], FileRef.from_json(value[4]))


@dataclass(frozen=True)
class TokenSet:
    """A tokenised, packed corpus in the store; `splits` has the label '' for data without labels."""

    store: Store
    digest: str
    window: int
    vocabulary_size: int
    tokenizer: str
    parts: tuple[TokenPart, ...]
    splits: Mapping[str, TokenSplit]

    @staticmethod
    def publish(
        store: Store,
        window: int,
        vocabulary_size: int,
        tokenizer: str,
        parts: Sequence[TokenPart],
        splits: Mapping[str, TokenSplit],
    ) -> TokenSet:
        """Write the manifest, last, and return the set."""
        content = {
            "format": FORMAT,
            "kind": "tokens",
            "window": window,
            "vocabulary_size": vocabulary_size,
            "tokenizer": tokenizer,
            "parts": [part.to_json() for part in parts],
            "splits": {label: split.to_json() for label, split in sorted(splits.items())},
        }
        digest = hash_json(content)
        name, manifest = f"datasets/{digest}/manifest.json", canonical_json(content)
        if store.record(name, manifest) not in (None, manifest):
            store.note(name, manifest)  # what stood there was damaged: these bytes are all that the digest stands for
        return TokenSet(store, digest, window, vocabulary_size, tokenizer, tuple(parts), dict(splits))

    @staticmethod
    def open(store: Store, digest: str) -> TokenSet:
        """Open a published token set; raises StoreError when there is none of this digest."""
        name = f"datasets/{digest}/manifest.json"
        content = read_manifest(store, name, f"no tokens {digest!r} in the store")
        expect_format(content, f"token set {digest}", f"{store.uri}/{name}")
        if hash_json(content) != digest:
            raise damaged_manifest(store, name)
        parts = tuple(TokenPart.from_json(part) for part in content["parts"])
        splits = {label: TokenSplit.from_json(split) for label, split in content["splits"].items()}
        return TokenSet(
            store, digest, content["window"], content["vocabulary_size"], content["tokenizer"], parts, splits
        )

    def windows(self, label: str) -> TokenWindows:
        """Return random access to the windows of one label; raises StoreError for an unknown one."""
        if label not in self.splits:
            raise StoreError(f"tokens {self.digest} have no split {label!r}", expected=", ".join(sorted(self.splits)))
        return TokenWindows(self, self.splits[label])


class TokenWindows:
    """Windows of one split: the plan in memory, the tokens memory-mapped and never copied before `take`."""

    def __init__(self, tokens: TokenSet, split: TokenSplit):
        self._width = tokens.window + 1
        plan = _mapped_table(tokens.store, split.file)
        self._document, self._start, self._stop = (_ints(plan, name) for name in ("document", "start", "stop"))
        self._first = np.searchsorted(_ints(plan, "window"), np.arange(split.windows + 1))
        self._parts = [_PartTokens(tokens.store, part) for part in tokens.parts]
        self._bases = np.cumsum([0, *(part.rows for part in tokens.parts)])

    def __len__(self) -> int:
        return len(self._first) - 1

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return int64 (windows,): ids in each window."""
        totals = np.concatenate([[0], np.cumsum(self._stop - self._start)])
        return np.asarray(np.diff(totals[self._first]), np.int64)

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return int64 (n, window + 1), padded with -1 after a short window's end."""
        taken = np.full((len(indices), self._width), -1, np.int64)
        for row, window in enumerate(indices):
            filled = 0
            for segment in range(int(self._first[window]), int(self._first[window + 1])):
                values = self._segment(segment)
                taken[row, filled : filled + len(values)] = values
                filled += len(values)
        return taken

    def _segment(self, segment: int) -> npt.NDArray[Any]:
        document = int(self._document[segment])
        part = int(np.searchsorted(self._bases, document, side="right")) - 1
        return self._parts[part].slice(
            document - int(self._bases[part]), int(self._start[segment]), int(self._stop[segment])
        )


class _PartTokens:
    """The token column of one part as two views into the mapped file."""

    def __init__(self, store: Store, part: TokenPart):
        table = _mapped_table(store, part.file)
        column = table["tokens"].chunk(0) if part.rows else None
        self._offsets = np.zeros(1, np.int64) if column is None else column.offsets.to_numpy()
        self._values = np.zeros(0, np.uint16) if column is None else column.values.to_numpy()

    def slice(self, document: int, start: int, stop: int) -> npt.NDArray[Any]:
        first = int(self._offsets[document])
        return np.asarray(self._values[first + start : first + stop])


def _mapped_table(store: Store, file: FileRef) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(store.path(file)))).read_all()


def _ints(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(table[name].to_numpy(), np.int64)


def encoded_columns(
    store: Store, parts: Sequence[TokenPart]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return split label (str), token count and text bytes (int64) of every document of these parts, in order."""
    labels: list[str] = []
    lengths, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part in parts:
        if not part.rows:
            continue
        table = _mapped_table(store, part.file)
        labels.extend(table["split"].to_pylist())
        lengths.append(np.diff(table["tokens"].chunk(0).offsets.to_numpy()).astype(np.int64))
        sizes.append(np.asarray(table["text_bytes"].to_numpy(), np.int64))
    return np.array(labels, dtype=str), np.concatenate(lengths), np.concatenate(sizes)
