"""Space on disk that a run will take: from what its stages will read, and what the like made of it in earlier runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError
from corpusmill.plan.stages import Stage
from corpusmill.runner.records import list_runs

_RUNS = 20
_COMPRESSED = (".gz", ".zst", ".xz", ".bz2")
_UNPACKED = 4.0
_MADE = {"pass": 1.0, "dedup": 0.25, "tokens": 0.6, "write": 0.6}
"""Bytes that a stage leaves for each that it reads, where no run has shown it yet: rough, for text in any language."""
_BESIDE = {"train": 7.0}
"""Scratch beside a result, in results: an artifact is built apart and copied; two checkpoints of a training hold the
weights and two moments of each."""


@dataclass(frozen=True)
class Need:
    """What a stage will take on disk. `bytes`: None where nothing tells; `size`: what its output amounts to.

    `known`: whether an earlier run has shown it; otherwise it is a rule of thumb.
    """

    bytes: int | None
    size: int
    known: bool = True


@dataclass(frozen=True)
class Shown:
    """What a stage did when it ran last: bytes read and made."""

    read: int
    made: int


def shown_by_runs(store: Store, name: str) -> dict[str, Shown]:
    """Return stage -> what it did when it last did something, from the journals of the newest runs of this name."""
    found: dict[str, Shown] = {}
    for record in list_runs(store.runs_root, name)[-_RUNS:]:
        try:
            ended = [one.data for one in record.events if one.event == "stage_finished"]
        except StoreError:  # a damaged journal tells nothing
            continue
        found |= {str(one["id"]): Shown(one["read"], one["made"]) for one in ended if one.get("made")}
    return found


def need_of(stage: Stage, state: str, made: int | None, read: int | None, inputs: Sequence[Need], shown: Any) -> Need:
    """Return what one stage needs.

    `made`: bytes of its output, where that is there; `read`: bytes of what it has to read, where that was counted;
    `inputs`: the needs of the stages before it; `shown`: what it did earlier, or None.
    """
    before = sum(one.size for one in inputs)
    if state == "cached":
        return Need(0, before if made is None else made)
    if stage.kind == "global":
        return _of_artifact(stage, shown)
    reads = read or before
    ratio = shown.made / shown.read if shown is not None and shown.read else None
    if ratio is None and shown is not None and not reads:
        return Need(shown.made, shown.made)
    needed = int(reads * (_rule_of_thumb(stage) if ratio is None else ratio))
    # A deduplicator selects: what goes on is as large as what came in.
    size = before if stage.kind == "dedup" and before else needed
    return Need(needed, size, known=ratio is not None and all(one.known for one in inputs))


def free_bytes(uri: str) -> int | None:
    """Return the bytes that are free where a store lies, or will lie; None where that cannot be told."""
    if "://" in uri:
        return None
    path = Path(uri).absolute()
    try:
        return shutil.disk_usage(next(one for one in (path, *path.parents) if one.exists())).free
    except (OSError, StopIteration):
        return None


def upstream(stage: Stage, owners: Mapping[str, str]) -> list[str]:
    """Return the stages that a stage reads from; `owners`: step -> stage."""
    refs = (ref for step in stage.steps for bound in step.inputs.values() for ref in bound)
    found = (owners.get(ref.step) for ref in refs if ref.local and ref.step is not None)
    return [one for one in dict.fromkeys(found) if one is not None and one != stage.id]


def _of_artifact(stage: Stage, shown: Shown | None) -> Need:
    if shown is None:
        return Need(None, 0, known=False)
    return Need(int(shown.made * (1 + _BESIDE.get(stage.steps[0].kind, 1.0))), shown.made)


def _rule_of_thumb(stage: Stage) -> float:
    if not stage.reads_files:
        return _MADE.get(stage.kind, 1.0)
    paths = stage.steps[0].options.model_dump().get("paths") or []
    packed = any(str(one).endswith(_COMPRESSED) for one in ([paths] if isinstance(paths, str) else paths))
    return _MADE["pass"] * (_UNPACKED if packed else 1.0)
