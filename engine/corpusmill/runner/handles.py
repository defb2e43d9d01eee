"""What global operators read from: handles on documents, tokens, tokenizers, models and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from corpusmill.dataset.artifact import artifact_folder, open_artifact
from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.schema import conform, union_schema
from corpusmill.runner.tokens import TokenSet, TokenSplit, TokenWindows
from corpusmill.runner.workspace import Workspace


class DocumentsHandle:
    """One or more datasets bound to a documents port, as a union; a bound split or role narrows what is seen.

    Roles given apart (`{train: a, validation: b}`) appear as splits of these names.
    """

    def __init__(self, bound: Sequence[tuple[Dataset, str | None, str | None]]):
        self._bound = bound
        self.schema = union_schema([dataset.schema for dataset, _, _ in bound])
        self.digest = hash_json([[dataset.digest, split, role] for dataset, split, role in bound])
        self.splits: dict[str, int] = {}
        for dataset, split, role in bound:
            for label, rows in _labels(dataset, split, role).items():
                self.splits[label] = self.splits.get(label, 0) + rows
        self.rows = sum(dataset.rows if split is None else dataset.splits.get(split, 0) for dataset, split, _ in bound)

    def batches(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, of one split label if given."""
        wanted = list(columns) if columns is not None else self.schema.names
        schema = pa.schema([self.schema.field(name) for name in wanted])
        for dataset, own, role in self._bound:
            if role is not None and split not in (None, role):
                continue
            narrowed = own if role is not None or split is None or own == split else split
            if role is None and own is not None and split not in (None, own):
                continue
            present = [name for name in wanted if dataset.schema.get_field_index(name) >= 0]
            for batch in dataset.batches(present, narrowed):
                yield conform(batch, schema)


def _labels(dataset: Dataset, split: str | None, role: str | None) -> dict[str, int]:
    if role is not None:
        return {role: dataset.rows if split is None else dataset.splits.get(split, 0)}
    return dict(dataset.splits) if split is None else {split: dataset.splits.get(split, 0)}


class TokensHandle:
    """A token set bound to a port; `splits` is what the reference selects, `all_splits` what there is."""

    def __init__(self, tokens: TokenSet, split: str | None, tokenizer: Any):
        self._tokens = tokens
        self.digest, self.window = tokens.digest, tokens.window
        self.vocabulary_size, self.tokenizer = tokens.vocabulary_size, tokenizer
        self.all_splits: Mapping[str, TokenSplit] = tokens.splits
        self.splits = dict(tokens.splits)
        if split is not None:
            self.splits = {split: tokens.splits[split]}

    def windows(self, split: str) -> TokenWindows:
        """Return random access to the windows of any label."""
        return self._tokens.windows(split)


class RoledTokens:
    """Token sets given apart for split roles, seen as one set whose splits are the roles."""

    def __init__(self, by_role: Mapping[str, tuple[TokensHandle, str | None]]):
        first = next(iter(by_role.values()))[0]
        self._by_role: dict[str, tuple[TokensHandle, str]] = {
            role: (handle, label or _only(handle)) for role, (handle, label) in by_role.items()
        }
        self.digest = hash_json({role: [handle.digest, label] for role, (handle, label) in self._by_role.items()})
        self.window, self.vocabulary_size, self.tokenizer = first.window, first.vocabulary_size, first.tokenizer
        self.splits = {role: handle.all_splits[label] for role, (handle, label) in self._by_role.items()}
        self.all_splits: Mapping[str, TokenSplit] = self.splits

    def windows(self, split: str) -> TokenWindows:
        """Return random access to the windows of a role."""
        handle, label = self._by_role[split]
        return handle.windows(label)


def _only(handle: TokensHandle) -> str:
    return next(iter(handle.splits))


def open_handles(workspace: Workspace, inputs: Mapping[str, Any]) -> SimpleNamespace:
    """Return one attribute a port: a handle, a list of handles for `many`, None where nothing is bound."""
    return SimpleNamespace(**{port: _port(workspace, bound) for port, bound in inputs.items()})


def _port(workspace: Workspace, bound: Mapping[str, Any]) -> Any:
    refs = bound["refs"]
    if not refs:
        return [] if bound["many"] else None
    if bound["artifact"] == "documents":
        store = workspace.store
        return DocumentsHandle([(Dataset.open(store, one["digest"]), one["split"], one["role"]) for one in refs])
    if bound["artifact"] == "tokens" and refs[0]["role"] is not None:
        return RoledTokens({one["role"]: (_single(workspace, "tokens", one), one["split"]) for one in refs})
    handles = [_single(workspace, bound["artifact"], one) for one in refs]
    return handles if bound["many"] else handles[0]


def _single(workspace: Workspace, artifact: str, one: Mapping[str, Any]) -> Any:
    if artifact == "tokens":
        tokens = TokenSet.open(workspace.store, one["digest"])
        return TokensHandle(tokens, one["split"], workspace.artifact(tokens.tokenizer))
    found = open_artifact(workspace.store, one["digest"])
    folder: Path = artifact_folder(workspace.store, found)
    return SimpleNamespace(digest=one["digest"], path=folder, values=found.summary, summary=found.summary)
