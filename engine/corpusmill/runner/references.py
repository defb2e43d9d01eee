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
from corpusmill.runner.records import DEFAULT_STORE, latest_run
from corpusmill.runner.spec_lock import FILE_NAME, Pin, Pins, lock_path, read_lock
from corpusmill.runner.tokens import TokenSet
from corpusmill.spec.model import Ref

Output = Dataset | Artifact | TokenSet


def pinned(checked: CheckedSpec, store: Store) -> CheckedSpec:
    """Return the spec with every `run:` reference replaced by the digest and split that a run would take for it.

    Raises UsageError for a run, output or split label that is not there.
    """
    return with_pins(checked, pins_of(checked, store))


def pins_of(checked: CheckedSpec, store: Store, *, relock: bool = False) -> dict[str, Pin]:
    """Return what each `run:` reference means: as `spec.lock` says, or (not in it, or `relock`) as it is found now.

    Raises UsageError for a run, output or split label that is not there, and for a pin that the store has lost.
    """
    path = lock_path(store, checked.spec.name)
    known = {} if relock else read_lock(path)
    pins: dict[str, Pin] = {}
    for ref in _run_refs(checked):
        pins[ref.text] = known[ref.text] if ref.text in known else _found(ref, store)
        if ref.text in known and not _is_there(store, known[ref.text].digest):
            raise UsageError(
                f"{ref.text!r} is pinned to {known[ref.text].digest!r}, which is no longer in the store",
                where=str(path),
                expected=f"what {known[ref.text].run} published",
                hint="--relock looks the reference up anew",
            )
    return pins


def with_pins(checked: CheckedSpec, pins: Pins) -> CheckedSpec:
    """Return the spec with its `run:` references replaced by what they are pinned to."""
    steps = []
    for step in checked.steps:
        inputs = {port: tuple(_replaced(ref, pins) for ref in refs) for port, refs in step.inputs.items()}
        steps.append(replace(step, inputs=inputs))
    return replace(checked, steps=tuple(steps))


def locked(checked: CheckedSpec, store: Store, pins: Pins) -> dict[str, Pin]:
    """Return what `spec.lock` holds after a run with these pins.

    Pins of steps that this run leaves out (`--until`) stay. A reference that an environment variable is part of is
    not kept: its value must reach no file, and another value would mean another run.
    """
    needs = [refs for step in checked.spec.steps for refs in (step.needs or {}).values()]
    wanted = {ref.text for refs in needs for ref in refs if ref.run is not None}
    left_out = wanted - {ref.text for ref in _run_refs(checked)}
    try:
        kept = read_lock(lock_path(store, checked.spec.name)) if left_out else {}
    except StoreError:
        kept = {}  # only --relock comes so far with a lock that cannot be read
    merged = {text: pin for text, pin in kept.items() if text in left_out} | dict(pins)
    return {text: pin for text, pin in merged.items() if checked.spec.redact(text) == text}


def stale_pins(checked: CheckedSpec, store: Store) -> dict[str, str]:
    """Return, by reference, in what way `spec.lock` is behind the newest runs; empty where it is not."""
    known, words = read_lock(lock_path(store, checked.spec.name)), {}
    for ref in _run_refs(checked):
        pin = known.get(ref.text)
        if pin is None:
            continue
        try:
            now = _found(ref, store)
        except UsageError:
            continue  # a newer run that has not come so far leaves nothing to renew the pin with
        if (now.digest, now.split) != (pin.digest, pin.split):
            words[ref.text] = f"{FILE_NAME} pins {ref.text} to {pin.run}; {now.run} has other bytes (--relock takes it)"
    return words


def stale_notes(checked: CheckedSpec) -> list[str]:
    """Return the words of `stale_pins` in the spec's own store; nothing is opened where no step refers to a run."""
    if not _run_refs(checked):
        return []
    return list(stale_pins(checked, Store(checked.spec.store or DEFAULT_STORE)).values())


def _run_refs(checked: CheckedSpec) -> list[Ref]:
    refs = [ref for step in checked.steps for bound in step.inputs.values() for ref in bound]
    return [ref for ref in refs if ref.run is not None and ref.step is not None]


def _replaced(ref: Ref, pins: Pins) -> Ref:
    pin = pins.get(ref.text)
    return ref if pin is None or ref.local else replace(ref, run=None, step=None, store=pin.digest, split=pin.split)


def _is_there(store: Store, digest: str) -> bool:
    return any(store.storage.exists(f"{kind}/{digest}/manifest.json") for kind in ("datasets", "artifacts"))


def _found(ref: Ref, store: Store) -> Pin:
    """Find a reference's run; the first word behind the step may name an output, the next one a split."""
    assert ref.run is not None
    assert ref.step is not None
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
    return Pin(f"{record.name}@{record.timestamp}", str(output["digest"]), tail[0] if tail else None)


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
