"""References resolved: from what a step needs to the datasets and artifacts that are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from corpusmill.dataset.artifact import Artifact, open_artifact
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError, UsageError
from corpusmill.plan.checked import CheckedSpec
from corpusmill.runner.records import latest_run
from corpusmill.runner.tokens import TokenSet
from corpusmill.spec.model import Ref

Output = Dataset | Artifact | TokenSet


def pinned(checked: CheckedSpec, store: Store) -> CheckedSpec:
    """Return the spec with every `run:` reference replaced by the digest and split that it means now.

    Raises UsageError for a run, output or split label that is not there.
    """
    steps = []
    for step in checked.steps:
        inputs = {port: tuple(_pinned(ref, store) for ref in refs) for port, refs in step.inputs.items()}
        steps.append(replace(step, inputs=inputs))
    return replace(checked, steps=tuple(steps))


def _pinned(ref: Ref, store: Store) -> Ref:
    """Find a reference's run; the first word behind the step may name an output, the next one a split."""
    if ref.run is None or ref.step is None:
        return ref
    name, _, timestamp = ref.run.partition("@")
    record = latest_run(store.runs_root, name, timestamp or None)
    step, tail = ref.step, list(ref.tail)
    if tail and f"{step}.{tail[0]}" in record.outputs.get("outputs", {}):
        step = f"{step}.{tail.pop(0)}"
    output = record.output(step)
    labels = output.get("splits") or {}
    if len(tail) > 1 or (tail and tail[0] not in labels):
        raise UsageError(
            f"{ref.text!r} names no output or split of {step!r}",
            where=str(record.folder / "outputs.json"),
            expected=f"one of the splits {', '.join(labels)}" if labels else "the step alone: it has no splits",
            hint=f"corpusmill show run:{record.name}@{record.timestamp}/{step}",
        )
    return replace(ref, run=None, step=None, store=output["digest"], split=tail[0] if tail else None)


def resolve_reference(ref: Ref, results: Mapping[tuple[str, str | None], Output], store: Store) -> Output:
    """Return what a pinned reference means: an output of this run, or a digest in the store."""
    if ref.local:
        assert ref.step is not None
        return results[ref.step, ref.output]
    assert ref.store is not None, "references to runs are pinned before the run"
    return open_output(store, ref.store)


def open_output(store: Store, digest: str) -> Output:
    """Open whatever is published under a digest: a dataset, tokens, or an artifact."""
    try:
        manifest = orjson.loads(store.storage.read(f"datasets/{digest}/manifest.json"))
    except FileNotFoundError:
        try:
            return open_artifact(store, digest)
        except StoreError as error:
            raise UsageError(
                f"nothing in the store has the digest {digest!r}", where=store.uri, hint="corpusmill status"
            ) from error
    return TokenSet.open(store, digest) if manifest.get("kind") == "tokens" else Dataset.open(store, digest)


def describe_output(store: Store, output: Output) -> dict[str, Any]:
    """Return an output as `outputs.json` shows it."""
    if isinstance(output, Dataset):
        place = f"{store.uri}/datasets/{output.digest}/manifest.json"
        return {
            "kind": "documents",
            "digest": output.digest,
            "path": place,
            "rows": output.rows,
            "splits": output.splits,
        }
    if isinstance(output, TokenSet):
        counted = ("windows", "tokens", "text_bytes", "documents")
        splits = {label: {name: getattr(one, name) for name in counted} for label, one in output.splits.items()}
        return {
            "kind": "tokens",
            "digest": output.digest,
            "path": f"{store.uri}/datasets/{output.digest}/manifest.json",
            "rows": sum(part.rows for part in output.parts),
            "splits": splits,
            "tokens": sum(part.tokens for part in output.parts),
        }
    described: dict[str, Any] = {
        "kind": output.kind,
        "digest": output.digest,
        "path": f"{store.uri}/{output.folder}",
        "summary": output.summary,
    }
    if output.kind == "metrics":
        described["values"] = output.summary
    return described
