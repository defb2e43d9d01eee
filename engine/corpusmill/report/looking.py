"""Looking things up for `show`: a run's output, something in the store by digest, or a published folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusmill.errors import LostFile, StoreError, UsageError, nearest
from corpusmill.report.folders import look_at_folder
from corpusmill.report.inspection import Inspection
from corpusmill.report.measured import look_at_signals
from corpusmill.runner.made_again import told_to_run_again
from corpusmill.runner.records import RunRecord, latest_run

_RUN = re.compile(
    r"run:(?P<name>[^/@\s]+)(?:@(?P<time>[^/\s]+))?/(?P<step>[a-z][a-z0-9-]*)(?P<tail>(?:\.[A-Za-z0-9_-]+)*)"
)
_STORE = re.compile(r"store:(?P<digest>[0-9a-f]{8,})(?:\.(?P<split>[A-Za-z0-9_-]+))?")
EXPECTED = "run:NAME[@TIME]/STEP[.OUTPUT][.SPLIT], run:NAME[@TIME]/STEP.signals, store:DIGEST, or a folder"


def look_up(reference: str, store: str, rows: int) -> Inspection:
    """Return what stands behind a reference, with its first `rows` rows; raises UsageError when nothing does."""
    run, stored = _RUN.fullmatch(reference), _STORE.fullmatch(reference)
    if run:
        record = latest_run(store, run["name"], run["time"])
        with told_to_run_again(record):
            return _output(record, run["step"], [part for part in run["tail"].split(".") if part], rows)
    if stored:
        return _stored(store, stored["digest"], stored["split"], rows)
    if reference.startswith(("run:", "store:")) or not Path(reference).exists():
        raise UsageError(f"nothing to show at {reference!r}", expected=EXPECTED, hint="corpusmill status lists runs")
    folder = Path(reference)
    if (folder / "manifest.json").is_file() and folder.parent.name in ("datasets", "artifacts"):
        return _stored(str(folder.resolve().parent.parent), folder.resolve().name, None, rows)
    return look_at_folder(folder, rows)


def _output(record: RunRecord, step: str, tail: list[str], rows: int) -> Inspection:
    """Look at one output; the first word of the tail may name an output beside the default one, the next a split.

    `signals` is no output that another step could read, but what a filter measured is looked at like one.
    """
    name, measured = step, record.outputs.get("signals") or {}
    if tail == ["signals"] and step in measured:
        return look_at_signals(record, step, measured[step], rows)
    if tail and f"{step}.{tail[0]}" in (record.outputs.get("outputs") or {}):
        name, tail = f"{step}.{tail[0]}", tail[1:]
    output = record.output(name)
    if len(tail) > 1:
        raise UsageError(f"{'.'.join([step, *tail])!r} names too much", expected=EXPECTED)
    split = tail[0] if tail else None
    _check_split(name, split, output.get("splits") or {})
    title = f"{output.get('kind')} {name}{'.' + split if split else ''}"
    origin = {"run": f"{record.name}@{record.timestamp}", "status": record.status}
    facts = {
        **origin,
        "rows": output.get("rows"),
        "splits": output.get("splits"),
        "digest": output.get("digest"),
        "path": output.get("path"),
        **_flat(output.get("summary") or {} if output.get("kind") != "metrics" else {}),
    }
    if name == step and name in measured:
        facts["signals"] = f"corpusmill show run:{record.name}@{record.timestamp}/{step}.signals"
    if output.get("kind") == "documents":
        _expect_dataset(record, name, str(output["digest"]))
        found = _stored(record.store, str(output["digest"]), split, rows)
        return replace(found, title=title, facts={**facts, **{k: v for k, v in found.facts.items() if k != "store"}})
    if output.get("kind") == "files" and rows and Path(str(output.get("path"))).is_dir():
        inside = look_at_folder(Path(str(output["path"])), rows)
        return replace(inside, title=title, facts={**inside.facts, **facts})
    return Inspection(title, facts, values=output.get("values") or {})


def _expect_dataset(record: RunRecord, step: str, digest: str) -> None:
    """A store that lost what a run published is told by the run's name: its digest says nothing to whoever asked."""
    from corpusmill.dataset.store import Store

    if Store(record.store).storage.exists(f"datasets/{digest}/manifest.json"):
        return
    raise LostFile(
        f"what {record.name}@{record.timestamp} published as {step} is no longer in the store",
        where=f"{record.store}/datasets/{digest}",
        expected="a store that keeps what runs published",
    )


def _stored(store: str, digest: str, split: str | None, rows: int) -> Inspection:
    from corpusmill.dataset.artifact import open_artifact
    from corpusmill.dataset.store import Store

    opened = Store(store)
    whole = whole_digest(opened, digest)
    if opened.storage.exists(f"datasets/{whole}/manifest.json"):
        return _dataset(opened, whole, split, rows)
    artifact = open_artifact(opened, whole)
    size = sum(size for _, _, size in artifact.files)
    facts: dict[str, Any] = {"digest": whole, "store": store, "files": len(artifact.files), "bytes": size}
    facts["path"] = artifact.folder
    return Inspection(f"{artifact.kind} {whole}", {**facts, **_flat(artifact.summary)})


def _dataset(store: Any, digest: str, split: str | None, rows: int) -> Inspection:
    from corpusmill.dataset.manifest import Dataset

    dataset = Dataset.open(store, digest)
    _check_split(digest, split, dataset.splits)
    facts = {
        "rows": dataset.rows if split is None else dataset.splits[split],
        "splits": dataset.splits,
        "parts": len(dataset.entries),
        "digest": digest,
        "store": store.uri,
        "path": f"datasets/{digest}",
    }
    first: list[Mapping[str, Any]] = []
    for batch in dataset.batches(None, split) if rows else ():
        first += batch.slice(0, rows - len(first)).to_pylist()
        if len(first) >= rows:
            break
    columns = [(item.name, str(item.type)) for item in dataset.schema]
    return Inspection(f"documents {digest}", facts, columns, first)


def whole_digest(store: Any, digest: str) -> str:
    """Return the digest a prefix stands for; listing is only done for a prefix."""
    for kind in ("datasets", "artifacts"):
        if store.storage.exists(f"{kind}/{digest}/manifest.json"):
            return digest
    names = {name.split("/")[1] for kind in ("datasets", "artifacts") for name in store.storage.list(kind)}
    fitting = sorted(name for name in names if name.startswith(digest))
    if len(fitting) == 1:
        return str(fitting[0])
    raise StoreError(
        f"{len(fitting) or 'nothing'} in the store fits the digest {digest!r}",
        where=store.uri,
        expected="one of " + ", ".join(fitting[:5]) if fitting else "the digest of a dataset or artifact",
        hint="corpusmill status lists runs; corpusmill show run:NAME/STEP says digests",
    )


def _check_split(name: str, split: str | None, splits: Mapping[str, Any]) -> None:
    if split is not None and split not in splits:
        close = nearest(split, splits)
        raise UsageError(
            f"{name} has no output or split {split!r}",
            expected="one of " + ", ".join(splits) if splits else "no name: it has no splits",
            hint=f"did you mean {close!r}?" if close else None,
        )


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if isinstance(value, int | float | str)}
