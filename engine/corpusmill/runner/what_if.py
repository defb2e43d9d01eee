"""What other thresholds would remove: kept values judged again, nothing measured and nothing run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.store import Store
from corpusmill.errors import SpecError, UsageError, nearest
from corpusmill.ledger.signals import VALUE_COLUMNS
from corpusmill.plan.options import check_options
from corpusmill.plugin.operator import Context
from corpusmill.plugin.resolve import resolve
from corpusmill.plugin.row_kinds import Filter
from corpusmill.plugin.verdicts import KEPT, Verdicts, decide
from corpusmill.runner.recorded_options import known_secrets, recorded_options
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import kept_values
from corpusmill.runner.workspace import Workspace
from corpusmill.spec.model import Step
from corpusmill.spec.problems import Mark, Problems
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.secrets import redact_values

EXAMPLES = 3


@dataclass
class WhatIf:
    """A step's documents judged by the run's options and by others.

    `changed`: option -> (value in the run, value asked for). `before`, `after`: reason -> removed rows. `newly_removed`
    and `newly_kept` count the documents whose fate changes; `examples` holds some of their ids.
    """

    step: str
    uses: str
    changed: Mapping[str, tuple[Any, Any]]
    judged: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    newly_removed: int = 0
    newly_kept: int = 0
    examples: Mapping[str, list[str]] = field(default_factory=lambda: {"newly_removed": [], "newly_kept": []})


def what_if(record: RunRecord, step: str, options: Mapping[str, Any]) -> WhatIf:
    """Return what a step with some other options would have removed of the documents that reached it in a run.

    Raises UsageError where that cannot be told from kept values (none kept, an option that changes what is measured,
    a filter that judges in its own way) and SpecError for options that are wrong.
    """
    planned, secrets = _planned(record, step), known_secrets(record.plan)
    planned = {**planned, "options": recorded_options(record.plan, planned)}
    then, now = _operators(record, planned, options)
    names = {*type(then.options).model_fields}
    old, new = (one.options.model_dump(mode="json") for one in (then, now))
    differing = [name for name in sorted(names) if old[name] != new[name] and name != "signals"]
    changed = {name: (redact_values(old[name], secrets), redact_values(new[name], secrets)) for name in differing}
    told = WhatIf(step, str(planned["uses"]), changed)
    if type(then).judge is not Filter.judge:
        raise UsageError(f"{planned['uses']} judges in its own way, not by its signals alone", **_again(step, options))
    if then.measurement() is None or then.measurement() != now.measurement():
        what = f"other values of {', '.join(changed)} can change what {planned['uses']} measures"
        raise UsageError(what, **_again(step, options))
    found = False
    for table in kept_values(record, step):
        found = True
        _judge(told, table, then, now)
    if not found:
        raise UsageError(
            f"step {step!r} of run {record.name!r} ({record.timestamp}) kept no values",
            expected="a run whose step keeps what it measures",
            hint=f"corpusmill run SPEC --set {step}.signals=keep",
        )
    told.before, told.after = (Counter(redact_values(one, secrets)) for one in (told.before, told.after))
    return told


def _judge(told: WhatIf, table: pa.Table, then: Filter, now: Filter) -> None:
    signals = {
        name: np.asarray(table[name].to_numpy(), np.float64)
        for name in table.column_names
        if name not in VALUE_COLUMNS.names
    }
    old, new = (decide(signals, one.rules(), table.num_rows) for one in (then, now))
    told.judged += table.num_rows
    told.before.update(_reasons(old))
    told.after.update(_reasons(new))
    for name, rows in (("newly_removed", old.keep & ~new.keep), ("newly_kept", ~old.keep & new.keep)):
        setattr(told, name, getattr(told, name) + int(rows.sum()))
        examples = told.examples[name]
        wanted: npt.NDArray[np.int64] = np.flatnonzero(rows)[: EXAMPLES - len(examples)]
        examples += table["id"].take(pa.array(wanted)).to_pylist()


def _reasons(verdicts: Verdicts) -> Counter[str]:
    failed, rows = np.unique(verdicts.rule[verdicts.rule != KEPT], return_counts=True)
    reasons: Counter[str] = Counter()
    for rule, count in zip(failed.tolist(), rows.tolist(), strict=True):
        reasons[verdicts.rules[rule].name] += count
    return reasons


def _planned(record: RunRecord, step: str) -> Mapping[str, Any]:
    steps = {str(one["id"]): one for stage in record.plan.get("stages", []) for one in stage.get("steps", [])}
    filters = [name for name, one in steps.items() if str(one["uses"]).startswith("filter.")]
    if step in filters:
        return dict(steps[step])
    near = nearest(step, filters)
    raise UsageError(
        f"run {record.name!r} ({record.timestamp}) has no filter {step!r}",
        expected="one of " + (", ".join(filters) or "none: the run has no filters"),
        hint=f"--set {near}.OPTION=VALUE" if near else None,
    )


def _operators(record: RunRecord, planned: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[Filter, Filter]:
    """Return the step's operator as it was and as it would be; neither is set up, for nothing is measured."""
    store = Store(record.store)
    settings = {
        "store": store.uri,
        "scratch": str(store.storage.scratch()),
        "plugins": record.plan.get("plugins") or [],
    }
    kind = resolve(Workspace(settings).registry.lookup(str(planned["uses"])))
    plan = record.plan
    context = Context(str(planned["id"]), plan["seed"], str(planned["column"]), str(plan["base"]))
    asked = _merged(planned["options"], options)
    problems = Problems(redacted=known_secrets(plan))
    marks: dict[Place, Mark] = {("with", name): Mark(origin=f"--set {planned['id']}.{name}") for name in options}
    wanted = Step(
        str(planned["id"]), str(planned["uses"]), asked, mark=Mark(origin="--set"), marks=marks, key_marks=marks
    )
    checked = check_options(wanted, kind, problems)
    if checked is None:
        raise SpecError(problems.sorted())
    then, now = kind(kind.Options.model_validate(planned["options"]), context), kind(checked, context)
    assert isinstance(then, Filter)
    assert isinstance(now, Filter)
    return then, now


def _merged(options: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    merged = deepcopy(dict(options))
    for name, value in asked.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _again(step: str, options: Mapping[str, Any]) -> dict[str, str]:
    sets = " ".join(f"--set {step}.{name}={value}" for name, value in options.items())
    return {
        "expected": "options that only move thresholds",
        "hint": f"corpusmill run SPEC {sets} --until {step} measures again",
    }
