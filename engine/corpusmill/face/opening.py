"""Opening what runs have made: documents, tokens, and artifacts such as models, by reference, digest or path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from corpusmill.dataset.artifact import Artifact as StoredArtifact
from corpusmill.dataset.artifact import artifact_folder
from corpusmill.dataset.manifest import Dataset as Stored
from corpusmill.dataset.store import Store
from corpusmill.errors import UsageError
from corpusmill.face.dataset import Dataset
from corpusmill.face.tokens import TokenDataset
from corpusmill.report.looking import whole_digest
from corpusmill.runner.records import DEFAULT_STORE, latest_run
from corpusmill.runner.references import Output, open_output
from corpusmill.runner.tokens import TokenSet

_NAME = "[A-Za-z0-9_-]+"
_RUN = re.compile(rf"run:([^/@\s]+)(?:@([^/\s]+))?/([a-z][a-z0-9-]*)((?:\.{_NAME}){{0,2}})")
_DIGEST = re.compile(rf"(?:store:)?([0-9a-f]{{8,}})((?:\.{_NAME})?)")
_EXPECTED = "run:NAME[@TIME]/STEP[.OUTPUT][.SPLIT], store:DIGEST[.SPLIT], a digest, or a dataset's folder in a store"

Reference = str | PathLike[str]


@dataclass(frozen=True)
class Artifact:
    """What a step left beside documents and tokens: a tokenizer, a model or metrics.

    `path`: a local folder with its files; `summary`: what its maker says of it, for metrics all numbers.
    """

    kind: str
    digest: str
    path: Path
    summary: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class _Found:
    output: Output
    label: str | None
    store: Store


def open(reference: Reference, *, store: Reference = DEFAULT_STORE) -> Dataset:  # noqa: A001 - as in gzip and codecs
    """Open documents: `corpusmill.open("run:quickstart/near")`.

    `reference`: `run:NAME[@TIME]/STEP[.OUTPUT][.SPLIT]` (the newest run of a name, or the one whose time starts like
    this), `store:DIGEST[.SPLIT]`, a digest of 8 digits or more, or the path of a folder `…/datasets/DIGEST`.
    `store`: the store that runs and digests are looked up in. Nothing but the manifest is read.

    Raises UsageError where nothing is there, or something else than documents; StoreError for a damaged store.
    """
    found = _find(fspath(reference), store)
    if not isinstance(found.output, Stored):
        raise _wrong_kind(reference, found.output, "documents")
    dataset = Dataset(found.output)
    return dataset if found.label is None else dataset.split(found.label)


def open_tokens(reference: Reference, *, store: Reference = DEFAULT_STORE) -> TokenDataset:
    """Open packed tokens: `corpusmill.open_tokens("run:quickstart/tokens.train")`; the rest is as for `open`."""
    found = _find(fspath(reference), store)
    if not isinstance(found.output, TokenSet):
        raise _wrong_kind(reference, found.output, "tokens")
    tokens = TokenDataset(found.output)
    return tokens if found.label is None else tokens.split(found.label)


def open_artifact(reference: Reference, *, store: Reference = DEFAULT_STORE) -> Artifact:
    """Open a model, a tokenizer or metrics: `corpusmill.open_artifact("run:quickstart/model").path`.

    Arguments and errors as of `open`. The files are verified against their checksums.
    """
    found = _find(fspath(reference), store)
    if not isinstance(found.output, StoredArtifact):
        raise _wrong_kind(reference, found.output, "an artifact")
    one = found.output
    return Artifact(one.kind, one.digest, artifact_folder(found.store, one), dict(one.summary))


def _find(text: str, store: Reference) -> _Found:
    run, stored, folder = _RUN.fullmatch(text), _DIGEST.fullmatch(text), Path(text)
    if run:
        return _in_run(Store(fspath(store)), run)
    if folder.name == "manifest.json":
        folder = folder.parent
    if folder.parent.name in ("datasets", "artifacts") and (folder / "manifest.json").is_file():
        opened = Store(str(folder.resolve().parent.parent))
        return _Found(open_output(opened, folder.resolve().name), None, opened)
    if stored:
        opened = Store(fspath(store))
        return _Found(open_output(opened, whole_digest(opened, stored[1])), stored[2].removeprefix(".") or None, opened)
    hint = "corpusmill status lists runs" if text.startswith("run:") else "corpusmill.open('run:NAME/STEP')"
    raise UsageError(f"nothing to open at {text!r}", expected=_EXPECTED, hint=hint)


def _in_run(store: Store, run: re.Match[str]) -> _Found:
    """Find what a step of a run left; the first word behind the step may name an output, the next one a split."""
    record = latest_run(store.runs_root, run[1], run[2])
    step, tail = run[3], [part for part in run[4].split(".") if part]
    if tail and f"{step}.{tail[0]}" in record.outputs.get("outputs", {}):
        step = f"{step}.{tail.pop(0)}"
    output = record.output(step)
    if len(tail) > 1:
        raise UsageError(
            f"{run[0]!r} names no output or split of {step!r}",
            where=str(record.folder / "outputs.json"),
            expected=_EXPECTED,
        )
    if output.get("kind") == "files":
        raise UsageError(
            f"{run[0]!r} is a folder of published files: {output.get('path')}",
            where=str(record.folder / "outputs.json"),
            expected="a step that leaves documents, tokens or an artifact",
            hint=f"datasets.load_dataset({str(output.get('path'))!r}) reads it",
        )
    return _Found(open_output(store, str(output["digest"])), tail[0] if tail else None, store)


def _wrong_kind(reference: Reference, found: Output, wanted: str) -> UsageError:
    kinds = {Stored: ("documents", "open"), TokenSet: ("tokens", "open_tokens")}
    artifact = (f"a {getattr(found, 'kind', '')}", "open_artifact")
    kind, function = kinds.get(type(found), artifact)
    text = fspath(reference)
    return UsageError(
        f"{text!r} is {kind}, not {wanted}", expected=wanted, hint=f"corpusmill.{function}({text!r}) opens it"
    )
