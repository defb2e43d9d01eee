"""The driver: runs the stages of a checked spec in order and leaves a record of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpusmill.dataset.commits import LEFT_OVER
from corpusmill.dataset.disk import replace_file
from corpusmill.dataset.hashing import canonical_json
from corpusmill.dataset.store import Store, write_errors
from corpusmill.errors import CorpusmillError, Interrupted, StoreError, UsageError
from corpusmill.plan.build import build_stages
from corpusmill.plan.checked import CheckedSpec
from corpusmill.plan.stages import Stage
from corpusmill.plugin.finder import plugin_manager
from corpusmill.plugin.option import revealed
from corpusmill.runner.choose import choose_executor
from corpusmill.runner.command import FILE_NAME as COMMAND
from corpusmill.runner.command import Given, describe_command
from corpusmill.runner.healing import run_stages
from corpusmill.runner.interrupts import obey_signals, stop_file
from corpusmill.runner.journal import Journal
from corpusmill.runner.lease import Lease
from corpusmill.runner.leftovers import clean_scratch
from corpusmill.runner.observers import Observers
from corpusmill.runner.policy import Control
from corpusmill.runner.reaper import FILE_NAME as PROCESSES
from corpusmill.runner.reaper import end_predecessor
from corpusmill.runner.records import DEFAULT_STORE
from corpusmill.runner.references import describe_output, locked, pins_of, stale_pins, with_pins
from corpusmill.runner.remote_lease import RemoteLease
from corpusmill.runner.run_mirror import pull_runs, push_run
from corpusmill.runner.session import Session, told_kind
from corpusmill.runner.spec_lock import FILE_NAME, lock_path, write_lock
from corpusmill.runner.whole_call import attributed
from corpusmill.spec.secrets import redact_error


@dataclass(frozen=True)
class RunOptions:
    """Where and how a run goes; nothing in here changes a byte of the result but `limit`."""

    store: str | None = None
    executor: str | None = None
    address: str | None = None
    workers: int | None = None
    until: str | None = None
    limit: int | None = None
    debug: bool = False
    wait: bool = False
    relock: bool = False
    """Look `run:` references up anew instead of taking what `spec.lock` says."""
    retry: bool = False
    """Run again the shards in which a step raised on documents or documents were excluded."""
    fork: bool = True
    """Whether the inline executor may fork its worker; not where the driver has threads."""
    given: Given = field(default_factory=Given)
    """What was laid over the spec; kept with the run, so that `corpusmill retry` can lay it over again."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended: what `outputs.json` holds, the run's folder, and things said aloud on the way."""

    outputs: dict[str, Any]
    folder: Path
    notices: list[str]


def run_spec(checked: CheckedSpec, options: RunOptions, observers: list[object] = []) -> RunResult:  # noqa: B006
    """Run a checked spec. Raises what stopped it, after recording it; what was committed is kept."""
    spec = checked.spec
    if spec.search is not None:
        raise UsageError("`search` is not available in this version", expected="a spec without `search`")
    store = Store(options.store or spec.store or DEFAULT_STORE)
    pull_runs(store)
    pins_of(checked, store, relock=options.relock)  # what is not there is refused before anything is made
    manager = plugin_manager(checked.local)
    journal = Journal(secrets=list(spec.redacted))
    for observer in (journal, *checked.trackers, *observers):
        manager.register(observer)
    control, settings = Control(), settings_for(store, checked)
    scratch = settings["scratch"]
    with (
        Lease(store, spec.name, wait=options.wait),
        RemoteLease(store, spec.name, wait=options.wait),
        obey_signals(control, Path(settings["stop"])),
    ):
        record = store.runs_root / "runs" / spec.name / PROCESSES
        ended = end_predecessor(record)
        pins = pins_of(checked, store, relock=options.relock)
        stale = {} if options.relock else stale_pins(checked, store)
        lock = locked(checked, store, pins)
        checked = with_pins(checked, pins)
        stages = build_stages(checked, options.until)
        clean_scratch(Path(scratch))
        started = datetime.now(UTC)
        folder = _run_folder(store, spec.name, started)
        journal.open(folder)
        executor = choose_executor(checked, stages, options, settings, record)
        told = Observers(manager, spec.redact)
        session = Session(checked, store, executor, settings, told, control, folder, options.limit)
        session.retry, session.note = options.retry, journal.write
        session.notices.extend(stale.values())
        if ended:
            session.notices.append(f"{ended} processes that a killed run had left on this machine were ended")
            journal.write("predecessor_ended", {"processes": ended})
        _write_plan(session, stages, options)
        for path in (lock_path(store, spec.name), folder / FILE_NAME):
            write_lock(path, lock)
        return _run(session, stages, started, journal)


def _run(session: Session, stages: list[Stage], started: datetime, journal: Journal) -> RunResult:
    spec, began = session.checked.spec, time.monotonic()
    session.observers.run_started(
        {
            "name": spec.name,
            "timestamp": session.folder.name,
            "folder": str(session.folder),
            "store": spec.redact(session.store.uri),
            "executor": session.executor.name,
            "spec": spec.path,
            "stages": [
                {"id": one.id, "kind": told_kind(one), "steps": [step.id for step in one.steps]} for one in stages
            ],
        }
    )
    status = "done"
    failure: BaseException | None = None
    try:
        run_stages(session, stages, _run_stage)
    except (Interrupted, KeyboardInterrupt) as error:
        status, failure = "interrupted", error
        session.executor.cancel()
    except BaseException as error:
        status, failure = "failed", error
        session.executor.cancel()
    finally:
        session.executor.close()
    try:
        session.store.gather(least=LEFT_OVER)
    except StoreError as error:
        status, failure = "failed" if failure is None else status, failure or error
    outputs = _outputs(session, status, started, time.monotonic() - began, failure)
    problem = _record(session, outputs, journal)
    # What stopped the run says more than that its record cannot be written: most likely the same.
    failure = failure or problem
    if failure is not None:
        raise redact_error(failure, spec.redacted)
    return RunResult(outputs, session.folder, session.notices)


def _run_stage(session: Session, stage: Stage) -> None:
    try:
        RUNNERS[stage.kind](session, stage)
        _record_outputs(session, stage)
    except CorpusmillError:
        raise
    except Exception as error:
        told = attributed(error)
        if told is error:
            raise
        raise told from error


def _record(session: Session, outputs: dict[str, Any], journal: Journal) -> StoreError | None:
    """Write the run's record, tell observers, close the journal; return what could not be written."""
    problem = None
    try:
        with write_errors(str(session.folder)):
            replace_file(session.folder / "outputs.json", canonical_json(outputs))
    except StoreError as error:
        problem = error
    session.observers.run_finished({**outputs, "folder": str(session.folder)})
    try:
        journal.close()
    except StoreError as error:
        problem = problem or error
    try:
        push_run(session.store, session.folder)
    except StoreError as error:
        problem = problem or error
    return problem


def _record_outputs(session: Session, stage: Stage) -> None:
    """Note what the stage published, for `outputs.json` and references from other runs."""
    for step in stage.steps:
        for (owner, name), output in session.results.items():
            if owner == step.id:
                session.outputs[owner if name is None else f"{owner}.{name}"] = describe_output(session.store, output)


def _outputs(
    session: Session, status: str, started: datetime, seconds: float, failure: BaseException | None
) -> dict[str, Any]:
    spec = session.checked.spec
    outputs: dict[str, Any] = {
        "name": spec.name,
        "status": status,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "executor": session.executor.name,
        "outputs": session.outputs,
        "counts": session.counts,
        "damaged": session.damaged,
        "quarantine": session.quarantined,
        "quarantines": session.quarantines,
        "ledger": session.ledgers,
        "signals": session.signals,
        "values": session.values,
        "ingredients": session.told_ingredients(),
    }
    if failure is not None:
        text = str(failure) if isinstance(failure, CorpusmillError) else f"{type(failure).__name__}: {failure}"
        if isinstance(failure, KeyboardInterrupt):
            text = "stopped at once; everything that was finished before is kept"
        outputs["error"] = spec.redact(text)
    return outputs


def _run_folder(store: Store, name: str, started: datetime) -> Path:
    """Make a folder for this run; two runs in one second get different ones."""
    stamp = started.strftime("%Y%m%dT%H%M%S")
    with write_errors(str(store.runs_root)):
        for suffix in ("", *(f"-{number}" for number in range(2, 100))):
            folder = store.runs_root / "runs" / name / f"{stamp}{suffix}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
    raise UsageError(f"a hundred runs of {name!r} in one second")


def settings_for(store: Store, checked: CheckedSpec) -> dict[str, Any]:
    """Return what every worker of this run is told."""
    with write_errors(store.uri):
        scratch = checked.spec.run.scratch or str(store.storage.scratch())
    plugins = [{"name": one.name, "hash": one.hash, "source": one.source.decode("latin-1")} for one in checked.local]
    secrets = {"secrets": dict(checked.spec.redacted)} if checked.spec.redacted else {}
    memory, stop = checked.spec.run.worker_memory, str(stop_file(scratch, store.uri, checked.spec.name))
    return {
        "store": store.uri,
        "scratch": scratch,
        "stop": stop,
        "plugins": plugins,
        "worker_memory": memory,
        **secrets,
    }


def _write_plan(session: Session, stages: list[Stage], options: RunOptions) -> None:
    spec = session.checked.spec
    described = [
        {
            "id": stage.id,
            "kind": stage.kind,
            "why": stage.why,
            "steps": [
                {
                    "id": step.id,
                    "uses": step.uses,
                    "options": spec.redact_values(revealed(step.options)),
                    "column": step.column,
                    "needs": {port: [spec.redact(ref.text) for ref in refs] for port, refs in step.inputs.items()},
                }
                for step in stage.steps
            ],
        }
        for stage in stages
    ]
    plan = {"name": spec.name, "seed": spec.seed, "base": str(spec.base), "limit": options.limit, "stages": described}
    plan["plugins"] = session.settings["plugins"]
    if spec.environment:
        plan["environment"] = spec.environment  # names alone: a replay looks the values up again
    with write_errors(str(session.folder)):
        replace_file(session.folder / "spec.yaml", spec.text.encode())
        replace_file(session.folder / "plan.json", canonical_json(plan))
        replace_file(session.folder / COMMAND, canonical_json(describe_command(spec, options)))


def _pass(session: Session, stage: Stage) -> None:
    from corpusmill.runner.pass_stage import run_pass_stage

    run_pass_stage(session, stage)


def _dedup(session: Session, stage: Stage) -> None:
    from corpusmill.runner.dedup_stage import run_dedup_stage

    run_dedup_stage(session, stage)


def _tokens(session: Session, stage: Stage) -> None:
    from corpusmill.runner.token_stage import run_token_stage

    run_token_stage(session, stage)


def _global(session: Session, stage: Stage) -> None:
    from corpusmill.runner.global_stage import run_global_stage

    run_global_stage(session, stage)


def _write(session: Session, stage: Stage) -> None:
    from corpusmill.runner.write_stage import run_write_stage

    run_write_stage(session, stage)


RUNNERS: Mapping[str, Callable[[Session, Stage], None]] = {
    "pass": _pass,
    "dedup": _dedup,
    "tokens": _tokens,
    "global": _global,
    "write": _write,
}

__all__ = ["DEFAULT_STORE", "RUNNERS", "RunOptions", "RunResult", "run_spec", "settings_for"]
