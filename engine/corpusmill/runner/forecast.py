"""The forecast: what a run would do and why, found by running the stages with an executor that does no work."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from corpusmill.dataset.looked_at import LookedAt
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.errors import CorpusmillError, damage_text
from corpusmill.plan.build import build_stages
from corpusmill.plan.checked import CheckedSpec
from corpusmill.plan.stages import Stage
from corpusmill.plugin.finder import plugin_manager
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.runner.driver import DEFAULT_STORE, RUNNERS, settings_for
from corpusmill.runner.known_damage import known_damage
from corpusmill.runner.observers import Observers
from corpusmill.runner.policy import Control
from corpusmill.runner.records import list_runs
from corpusmill.runner.references import pins_of, stale_pins, with_pins
from corpusmill.runner.session import DRY, Session, StageProgress
from corpusmill.runner.space import Need, need_of, shown_by_runs, upstream
from corpusmill.runner.unit import Done, Outcome, Unit
from corpusmill.runner.worker import run_unit

_LOCAL = (
    "all work is kept in the folder {}: every node of the cluster at {} must share it, or what is on a node is lost "
    "with the node; a run looks before it begins"
)


class WouldRunError(Exception):
    """A stage has work that is not committed; `read`: bytes that it has to read first."""

    def __init__(self, read: int = 0):
        super().__init__()
        self.read = read


@dataclass
class StageForecast:
    """What would become of one stage.

    `state`: cached, runs, fails, or waits (its input is not made yet, so it may still turn out cached). `shards` and
    `cached`: units of work and how many are committed, where known. `reasons`: why it runs. `bytes`: what it wrote
    when it is cached.
    """

    id: str
    kind: str
    steps: list[str]
    why: str
    state: str = "runs"
    shards: int | None = None
    cached: int | None = None
    rows: int | None = None
    bytes: int | None = None
    reasons: list[str] = field(default_factory=list)
    needs: int | None = 0
    """Bytes on disk that the stage will take, about; None where nothing tells. `needs_known`: a run has shown it."""
    needs_known: bool = True
    notes: list[str] = field(default_factory=list)
    """Damaged files that are left out, and where `spec.lock` is behind the newest runs that the stage refers to."""


class _DryExecutor:
    """Looks at input files, and stops a stage at its first piece of real work."""

    name = DRY
    workers = 1
    in_flight = 1

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = settings
        self._queue: deque[Unit] = deque()

    def submit(self, unit: Unit) -> None:
        if unit.kind != "identify":
            raise WouldRunError
        self._queue.append(unit)

    def next(self, timeout: float) -> tuple[Unit, Outcome] | None:
        if not self._queue:
            return None
        unit = self._queue.popleft()
        return unit, run_unit(unit.kind, unit.key, unit.payload, self._settings, None)

    def most(self, resource: str) -> float:
        return inf

    def pools(self, recipes: Any, resources: Any) -> None:
        return

    def release(self, pools: Any) -> None:
        return

    def cancel(self) -> None:
        self._queue.clear()

    def close(self) -> None:
        return


class _DrySession(Session):
    """Looks at input files, and ends a stage at its first piece of real work."""

    def run(
        self,
        stage: Stage,
        progress: StageProgress,
        units: Iterable[Unit],
        on_done: Callable[[Unit, Done], None],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        if progress.kind == "identify":
            super().run(stage, progress, units, on_done, tick)
            return
        work = list(units)
        if work:
            raise WouldRunError(sum(unit.weight for unit in work))


class _Listener:
    """Hears how many shards each stage has and how many are committed."""

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.finished: dict[str, Any] = {}

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        self.started[stage["id"]] = stage

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        self.finished[stage["id"]] = stage


def forecast(
    checked: CheckedSpec, store_uri: str | None, until: str | None = None, *, relock: bool = False, retry: bool = False
) -> list[StageForecast]:
    """Return what a run would do, stage by stage. Reads and hashes input files; runs no operator on any document.

    `retry`: what a run with `--retry` would do; nothing is forgotten for it here. The store is only looked at, so one
    that cannot be written to will do; where it can, what was learnt of input files saves the run from reading them.
    """
    uri = store_uri or checked.spec.store or DEFAULT_STORE
    with tempfile.TemporaryDirectory(prefix="corpusmill-plan-") as folder:
        store = Store(uri, LookedAt(open_storage(uri), Path(folder)))
        return _forecast(checked, store, until, relock=relock, retry=retry)


def _forecast(
    checked: CheckedSpec, store: Store, until: str | None, *, relock: bool, retry: bool
) -> list[StageForecast]:
    stale = {} if relock else stale_pins(checked, store)
    checked = with_pins(checked, pins_of(checked, store, relock=relock))
    listener, manager = _Listener(), plugin_manager(checked.local)
    manager.register(listener)
    settings = settings_for(store, checked)
    observers, executor = Observers(manager, checked.spec.redact), _DryExecutor(settings)
    session = _DrySession(checked, store, executor, settings, observers, Control(), store.runs_root)
    session.retry = retry
    earlier = _last_ingredients(store, checked.spec.name)
    pending: set[str] = set()
    space = _Space(store, checked.spec.name)
    forecasts = []
    for stage in build_stages(checked, until):
        one = StageForecast(stage.id, stage.kind, [step.id for step in stage.steps], stage.why)
        waits = sorted(_upstream(stage) & pending)
        if waits:
            one.state, one.reasons = "waits", [f"input of {name} is not made yet" for name in waits]
        else:
            space.reads[stage.id] = _try(session, stage, one, listener)
        space.foresee(stage, one)
        if one.state != "cached":
            pending.update(one.steps)
            one.reasons += _changes(stage, session, earlier)
        one.notes += [stale[text] for text in dict.fromkeys(_reference_texts(stage)) if text in stale]
        forecasts.append(one)
    if forecasts and checked.spec.run.address and not store.storage.remote:
        forecasts[0].notes.append(_LOCAL.format(store.uri, checked.spec.run.address))
    return forecasts


class _Space:
    """What the stages so far will take on disk."""

    def __init__(self, store: Store, name: str):
        self._shown, self._owners = shown_by_runs(store, name), dict[str, str]()
        self._needs: dict[str, Need] = {}
        self.reads: dict[str, int | None] = {}

    def foresee(self, stage: Stage, one: StageForecast) -> None:
        """Fill in what one stage needs."""
        inputs = [self._needs[name] for name in upstream(stage, self._owners)]
        need = need_of(stage, one.state, one.bytes, self.reads.get(stage.id), inputs, self._shown.get(stage.id))
        if one.state == "runs" and stage.kind == "pass" and one.shards and one.cached:
            need = replace(need, size=need.size * one.shards // (one.shards - one.cached))
        self._needs[stage.id] = need
        self._owners |= dict.fromkeys(one.steps, stage.id)
        one.needs, one.needs_known = need.bytes, need.known


def _try(session: Session, stage: Stage, one: StageForecast, listener: _Listener) -> int | None:
    """Run a stage dry and note what became of it; return the bytes that it has to read, if it has to run."""
    read, before = None, len(session.retried)
    try:
        RUNNERS[stage.kind](session, stage)
        one.state = "cached"
    except WouldRunError as error:
        one.state, read = "runs", error.read
    except CorpusmillError as error:
        one.state, one.reasons = "fails", [session.checked.spec.redact(error.what)]
    started, finished = listener.started.get(stage.id), listener.finished.get(stage.id)
    if started is not None:
        one.shards, one.cached = started["total"], started["cached"]
    if finished is not None:
        one.rows = finished["rows"]
        output = session.results.get((stage.id, None))
        if isinstance(output, Dataset):
            one.bytes = sum(entry.part.file.bytes for entry in output.entries)
    one.reasons += session.notices
    session.notices.clear()
    _foresee_damage(one, stage, known_damage(session, stage, remember=one.state == "runs"))
    if one.state == "runs" and one.shards and stage.kind == "pass":
        again = len(session.retried) - before
        missing = one.shards - (one.cached or 0) - again
        one.reasons += (
            [f"{again} of {one.shards} shards hold documents that failed and are tried again"] if again else []
        )
        one.reasons += [f"{missing} of {one.shards} shards are not committed"] if missing or not again else []
    return read


def _foresee_damage(one: StageForecast, stage: Stage, damaged: list[dict[str, Any]]) -> None:
    """Say what becomes of a stage some of whose files are damaged: it fails, or it leaves them out."""
    if not damaged or one.state == "fails":
        return
    if stage.steps[0].limits.on_corrupt_file == "fail":
        one.state = "fails"
        one.reasons.append(damage_text(damaged))
    else:
        one.notes.append(f"leaves out {damage_text(damaged)}")


def _upstream(stage: Stage) -> set[str]:
    own = {step.id for step in stage.steps}
    refs = (ref for step in stage.steps for bound in step.inputs.values() for ref in bound)
    return {ref.step for ref in refs if ref.local and ref.step is not None and ref.step not in own}


def _reference_texts(stage: Stage) -> list[str]:
    return [ref.text for step in stage.steps for bound in step.inputs.values() for ref in bound]


def _last_ingredients(store: Store, name: str) -> dict[str, Any]:
    for record in reversed(list_runs(store.runs_root, name)):
        if record.outputs.get("ingredients"):
            return dict(record.outputs["ingredients"])
    return {}


def _changes(stage: Stage, session: Session, earlier: Mapping[str, Any]) -> list[str]:
    """Say which ingredient of which step differs from the last run's."""
    if not earlier:
        return []
    reasons, told = [], session.told_ingredients()
    for step in stage.steps:
        now, before = told.get(step.id), earlier.get(step.id)
        if now is None:
            continue
        if before is None:
            reasons.append(f"{step.id} is new")
            continue
        reasons += [f"{step.id}: {words}" for words in _differences(before, now)]
    return reasons


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    words = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name == "options" and isinstance(old, dict) and isinstance(new, dict):
            changed = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
            words += [f"{key} {old.get(key)!r} → {new.get(key)!r}" for key in changed]
        elif name in ("files", "state"):
            words.append(f"{name} changed")
        else:
            words.append(f"{name} {old!r} → {new!r}")
    return words
