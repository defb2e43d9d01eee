"""References resolved: from what a step needs to the datasets and artifacts that are published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from corpusmill.dataset.artifact import Artifact, open_artifact
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError, UsageError
from corpusmill.run.records import latest_run
from corpusmill.run.tokens import TokenSet
from corpusmill.spec.model import Ref

Output = Dataset | Artifact | TokenSet


def resolve_reference(ref: Ref, results: Mapping[tuple[str, str | None], Output], store: Store) -> Output:
    """Return what a reference means: an output of this run, of another run, or a digest in the store."""
    if ref.local:
        assert ref.step is not None
        return results[ref.step, ref.output]
    if ref.store is not None:
        return open_output(store, ref.store)
    assert ref.run is not None and ref.step is not None
    name, _, timestamp = ref.run.partition("@")
    record = latest_run(store.runs_root, name, timestamp or None)
    return open_output(store, record.output(ref.step)["digest"])


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
