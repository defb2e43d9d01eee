"""One run in progress: what all stage runners share, and how they reach store, executor and observers."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusmill.dataset.artifact import Artifact
from corpusmill.dataset.inventory import files_in
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import StoreError
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.checked import CheckedSpec, CheckedStep
from corpusmill.plan.fingerprint import fingerprint, ingredients
from corpusmill.plan.stages import Stage
from corpusmill.runner.executor import Executor
from corpusmill.runner.folder_work import saved_work
from corpusmill.runner.observers import Observers
from corpusmill.runner.placement import Placement, place, together
from corpusmill.runner.policy import Control, run_units
from corpusmill.runner.records import DEFAULT_STORE
from corpusmill.runner.tokens import TokenSet
from corpusmill.runner.unit import Done, Unit

Output = Dataset | Artifact | TokenSet

DRY = "dry"
"""Name of the executor that does no work."""
_REPORT_EVERY = 0.2
_HEARTBEAT = 10.0
"""Seconds: observers hear at most every 0.2 s of what moves, every 10 s of what stands still."""


@dataclass
class StageProgress:
    """How far a stage is; observers get it batched."""

    id: str
    steps: list[str]
    kind: str
    total: int
    done: int = 0
    rows: int = 0
    bytes: int = 0
    made: int = 0
    """Bytes of the files that the units left, beside the `bytes` that they read."""
    started: float = field(default_factory=time.monotonic)
    reported: float = 0.0
    told: tuple[int, int, int] = (0, 0, 0)
    silent: bool = False


@dataclass
class Session:
    """A run: `results` maps (step, output name or None) to what is published."""

    checked: CheckedSpec
    store: Store
    executor: Executor
    settings: Mapping[str, Any]
    observers: Observers
    control: Control
    folder: Path
    limit: int | None = None
    retry: bool = False
    """Whether shards in which steps failed on documents are run again; `retried`: the keys of those that were."""
    retried: set[str] = field(default_factory=set)
    replaced: int = 0
    """Workers that made room for fresh ones: operators had left too much in them."""
    results: dict[tuple[str, str | None], Output] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: list[dict[str, Any]] = field(default_factory=list)
    noticed: list[dict[str, Any]] = field(default_factory=list)
    """Damage seen before any row was read; the end of the stage judges all of it."""
    ledgers: list[dict[str, Any]] = field(default_factory=list)
    quarantines: list[dict[str, Any]] = field(default_factory=list)
    signals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Step -> what it measured: histograms over all shards, and its rules."""
    values: list[dict[str, Any]] = field(default_factory=list)
    """Files of kept values, each with its step, in input order."""
    quarantined: int = 0
    notices: list[str] = field(default_factory=list)
    note: Callable[[str, Mapping[str, Any]], None] = field(default=lambda event, data: None)
    """Appends an event to the journal that is no observer's business."""
    _placements: dict[str, Placement] = field(default_factory=dict)
    ingredients: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Step -> what decided its result, so that the next `plan` can say what changed."""

    @property
    def dry(self) -> bool:
        """Whether the stages are only looked at, for a forecast."""
        return self.executor.name == DRY

    @property
    def seed(self) -> int:
        """The spec's seed."""
        return self.checked.spec.seed

    @property
    def base(self) -> Path:
        """The folder that paths in options start from."""
        return self.checked.spec.base

    @property
    def place(self) -> str:
        """What a command needs to find this store: nothing, or ` --store URI`."""
        default = Path(DEFAULT_STORE).absolute()
        return "" if self.store.uri == str(default) else f" --store {shlex.quote(self.store.uri)}"

    @property
    def scratch(self) -> Path:
        """Local scratch of this store."""
        return Path(self.settings["scratch"])

    def fingerprint(self, step: CheckedStep, operator: Any) -> str:
        """Return the fingerprint of a step and remember its ingredients."""
        self.ingredients[step.id] = ingredients(step, operator, self.seed)
        return fingerprint(self.ingredients[step.id])

    def told_ingredients(self) -> dict[str, dict[str, Any]]:
        """Return the ingredients as they are stored and shown: no secret among the options."""
        redacted = self.checked.spec.redact_values
        return {step: {**parts, "options": redacted(parts.get("options"))} for step, parts in self.ingredients.items()}

    def tries_again(self, key: str, failed: Any) -> bool:
        """Say whether work in which documents `failed` is to be done again, which it is once; its record goes then."""
        if not (self.retry and failed) or key in self.retried:
            return False
        self.retried.add(key)
        if not self.dry:
            self.store.forget(key, later=True)
        return True

    def list_quarantine(self, stage: Stage, counts: StepCounts, files: Iterable[Any]) -> None:
        """List quarantine files of a step outside passes, and count what is in them."""
        paths = [f"{self.store.uri}/{FileRef.from_json(file).name}" for file in files]
        self.quarantines += [{"step": stage.id, "steps": [stage.id], "path": path} for path in paths]
        self.quarantined += sum(counts.quarantined.values())

    def crumb(self, key: str) -> Path:
        """Where a unit's worker leaves its breadcrumb."""
        return self.scratch / "crumbs" / key

    def run(
        self,
        stage: Stage,
        progress: StageProgress,
        units: Iterable[Unit],
        on_done: Callable[[Unit, Done], None],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Run units of a stage, counting progress."""

        def done(unit: Unit, result: Done) -> None:
            on_done(unit, result)
            self.store.gather([unit.key])
            progress.done += 1
            progress.bytes += unit.weight
            progress.made += made_bytes(result.record)
            self.report(progress)

        def each_tick() -> None:
            tick()
            self.report(progress)

        self.store.settle()
        run_units(
            self.executor,
            self._placed(stage, units),
            done,
            control=self.control,
            crumbs=self.crumb,
            names=lambda unit, step: _named(stage, step),
            tick=each_tick,
            tell=lambda event, data: self._tell(stage, event, data),
            saved=lambda unit: saved_work(self.scratch / "work" / unit.key),
        )

    def _tell(self, stage: Stage, event: str, data: Mapping[str, Any]) -> None:
        """Note what happened to a worker: the run goes on; that some were replaced is said aloud once, at the end."""
        # A disk that is full will stop the run where data are written, which says more.
        with contextlib.suppress(StoreError):
            self.note(event, {"id": stage.id, **data})
        if event == "worker_replaced":
            self.replaced += 1
            told = f"workers replaced: {self.replaced}; the last one: {data['why']}, after {data['shard']}"
            self.notices[:] = [one for one in self.notices if not one.startswith("workers replaced: ")]
            self.notices.append(f"{told} (`run: {{worker_memory: …}}` is the limit)")

    def report(self, progress: StageProgress, *, now: bool = False) -> None:
        """Tell observers how far a stage is, at most a few times a second."""
        moment, state = time.monotonic(), (progress.done, progress.total, progress.rows)
        unchanged = state == progress.told and moment - progress.reported < _HEARTBEAT
        if progress.silent or (not now and (unchanged or moment - progress.reported < _REPORT_EVERY)):
            return
        progress.reported, progress.told = moment, state
        self.observers.shards_committed(
            {
                "id": progress.id,
                "done": progress.done,
                "total": progress.total,
                "rows": progress.rows,
                "bytes": progress.bytes,
                "seconds": moment - progress.started,
                "running": min(self.executor.workers, max(0, progress.total - progress.done)),
            }
        )

    def _placed(self, stage: Stage, units: Iterable[Unit]) -> Iterator[Unit]:
        """Yield the units, each with what its stage asks of the machine; those of a pass say so themselves."""
        asked = {} if stage.kind == "pass" else together(self.placement(step).resources for step in stage.steps)
        for unit in units:
            unit.resources = unit.resources or asked
            yield unit

    def start_stage(self, stage: Stage, total: int, cached: int) -> StageProgress:
        """Tell observers that a stage starts and return its progress."""
        steps = [step.id for step in stage.steps]
        kind = told_kind(stage)
        work = cached < total or not total
        notices = [notice for step in stage.steps if work for notice in self.placement(step).notices]
        self.notices += notices
        told = {"id": stage.id, "steps": steps, "kind": kind, "total": total, "cached": cached, "notices": notices}
        self.observers.stage_started(told)
        return StageProgress(stage.id, steps, kind, total, done=cached)

    def finish_stage(
        self, progress: StageProgress, output: Output | None, rows: int | None, counts: Mapping[str, Any]
    ) -> None:
        """Record a stage's counts and tell observers that it is published."""
        self.counts.update(counts)
        self.report(progress, now=True)
        self.observers.stage_finished(
            {
                "id": progress.id,
                "steps": progress.steps,
                "kind": progress.kind,
                "digest": output.digest if output is not None else None,
                "rows": rows,
                "seconds": round(time.monotonic() - progress.started, 3),
                "read": progress.bytes,
                "made": progress.made,
                "counts": dict(counts),
            }
        )

    def placement(self, step: CheckedStep) -> Placement:
        """Return where a step's work runs; `start_stage` says aloud what it asks for and is not there."""
        if step.id not in self._placements:
            self._placements[step.id] = place(step, self.executor)
        return self._placements[step.id]


def _named(stage: Stage, step: int) -> str:
    """Name a step of a stage and its plugin; the last one where a worker did not say which."""
    one = stage.steps[step if 0 <= step < len(stage.steps) else -1]
    return f"step {one.id} ({one.uses})"


def told_kind(stage: Stage) -> str:
    """Return what observers are told of a stage: `pass`, or the kind of its global operator."""
    return "pass" if stage.kind == "pass" else stage.steps[-1].kind


def count_row(step: CheckedStep, counts: StepCounts, seconds: float) -> dict[str, Any]:
    """Return a step's counts as outputs and observers show them."""
    return {"uses": step.uses, **counts.to_json(), "seconds": round(seconds, 3)}


def made_bytes(record: Mapping[str, Any]) -> int:
    """Return the bytes of the files that a unit's record names, or of the one that it says it wrote."""
    if "xxh3_128" in record:
        return int(record["bytes"])
    return sum(reference.bytes for reference in files_in(record))
