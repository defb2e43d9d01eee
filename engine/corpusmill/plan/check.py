"""The check: everything that can be known to be wrong before a byte is read, all of it at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corpusmill.errors import CorpusmillError, SpecError, nearest
from corpusmill.plan.bindings import Binder
from corpusmill.plan.checked import CheckedSpec, CheckedStep
from corpusmill.plan.columns import Flow
from corpusmill.plan.facts import Facts
from corpusmill.plan.inputs import absolute, check_inputs, is_remote, nearest_file
from corpusmill.plan.kept_signals import check_kept_signals
from corpusmill.plan.options import check_options, find_value
from corpusmill.plan.order import ancestors, ordered
from corpusmill.plan.search import check_search
from corpusmill.plan.trackers import check_trackers
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.global_kinds import Writer
from corpusmill.plugin.operator import Context
from corpusmill.plugin.registry import Registry
from corpusmill.plugin.resolve import resolve
from corpusmill.plugin.surroundings import undisturbed
from corpusmill.spec.loading import Source, read
from corpusmill.spec.model import PluginName, Spec, Step
from corpusmill.spec.overrides import Override
from corpusmill.spec.problems import Problems


def check(
    source: Source,
    *,
    params: Mapping[str, Any] | None = None,
    sets: Sequence[Override] = (),
    profile: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    blocked: Iterable[str] = (),
    until: str | None = None,
    deep: bool = True,
) -> CheckedSpec:
    """Return the spec with operators, options, bindings and schemas, or raise SpecError with every problem found.

    `until` keeps one step and what it needs. `deep=False` touches no input file. Arguments before these are those of
    `corpusmill.spec.loading.read`; `blocked` names plugins to leave out.
    """
    spec, problems = read(source, params, sets, profile, settings, environment)
    if spec is None:
        raise SpecError(problems.sorted())
    registry, local = _plugins(spec, problems, blocked)
    order = [_operator(step, spec, registry, problems) for step in spec.steps]
    by_id = {facts.id: facts for facts in reversed(order)}
    sequence = _flow(order, by_id, spec, problems, deep=deep)
    _check_writers(order, spec, problems)
    check_kept_signals(order, problems)
    check_search(spec, by_id, problems)
    trackers = check_trackers(spec.run.track, registry, problems)
    if until is not None and until not in by_id:
        near = nearest(until, by_id)
        problems.add(f"unknown step {until!r} in --until", expected=f"one of {', '.join(by_id)}", near=near)
    if problems.found:
        raise SpecError(problems.sorted())
    wanted = ancestors(order, until) if until is not None else set(by_id)
    steps = tuple(_checked(facts) for facts in sequence if facts.id in wanted)
    return CheckedSpec(spec, steps, registry, local, trackers)


def _plugins(spec: Spec, problems: Problems, blocked: Iterable[str]) -> tuple[Registry, tuple[LocalPlugin, ...]]:
    """Load the registry; a plugin the spec names must be there and whole."""
    local: dict[PluginName, LocalPlugin] = {}
    for name in spec.plugins:
        if name.is_file:
            try:
                local[name] = LocalPlugin.read(name.text, spec.base)
            except CorpusmillError as error:
                problems.add(error.what, name.mark, expected=error.expected, near=nearest_file(name.text, spec.base))
    registry = load_registry(tuple(local.values()), blocked=blocked)
    causes = {broken.origin.local or broken.origin.distribution: broken.cause for broken in registry.broken}
    installed = {origin.distribution for origin in registry.origins if origin.distribution}
    for name in spec.plugins:
        key = local[name].module if name in local else name.text.lower().replace("_", "-")
        if key in causes:
            what, expected = f"plugin {name.text!r} cannot be loaded: {causes[key]}", "a plugin that can be imported"
            problems.add(what, name.mark, expected=expected, hint=f"corpusmill plugins check {name.text}")
        elif not name.is_file and key not in installed:
            near = nearest(key, installed)
            hint = f"pip install {name.text}"
            expected = "an installed distribution with plugins, or a file such as ./my_filter.py"
            what = f"plugin {name.text!r} is not installed"
            problems.add(what, name.mark, expected=expected, near=near, hint=hint)
    return registry, tuple(local.values())


def _operator(step: Step, spec: Spec, registry: Registry, problems: Problems) -> Facts:
    """Resolve a step's operator and validate its options."""
    facts = Facts(step)
    if not step.uses:
        return facts
    try:
        facts.registered = registry.lookup(step.uses)
        with undisturbed():
            facts.operator = resolve(facts.registered)
    except CorpusmillError as error:
        known = facts.registered is not None or step.uses in registry.conflicts
        near = None if known or problems.full else registry.nearest(step.uses)
        problems.add(error.what, step.mark, step=step.id, expected=error.expected, near=near, hint=error.hint)
        return facts
    facts.options = check_options(step, facts.operator, problems)
    if facts.options is not None:
        facts.instance = _instance(facts, spec, problems)
    return facts


def _instance(facts: Facts, spec: Spec, problems: Problems) -> Any:
    """Build the operator and ask for its declarations once, so that a faulty one is named here and nowhere else."""
    step, operator = facts.step, facts.operator
    assert operator is not None
    context = Context(step=step.id, seed=spec.seed, column=step.column, base=str(spec.base))
    try:
        with undisturbed():
            instance = operator(facts.options, context)
            instance.reads(), instance.adds(), instance.drops(), instance.files()
            for name in ("labels", "path"):  # of splitters and writers
                getattr(instance, name, lambda: None)()
    except CorpusmillError as error:
        problems.add(error.what, step.mark, step=step.id, expected=error.expected, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - a stranger's constructor may raise anything
        owner = facts.registered.owner if facts.registered else "?"
        what = f"operator {step.uses!r} of {owner} failed while it was set up: {type(error).__name__}: {error}"
        expected = "a constructor, reads(), adds(), drops(), files(), labels() and path() that need nothing but options"
        hint = f"corpusmill plugins check {owner if owner.endswith('.py') else step.uses}"
        problems.add(what, step.mark, step=step.id, expected=expected, hint=hint)
    else:
        return instance
    return None


def _flow(
    order: Sequence[Facts], by_id: Mapping[str, Facts], spec: Spec, problems: Problems, *, deep: bool
) -> list[Facts]:
    """Bind ports, order the steps, and follow columns and labels through them."""
    binder = Binder(order, problems)
    for facts in order:
        if facts.operator is not None:
            facts.inputs = binder.bind(facts)
            check_inputs(facts, spec.base, problems, deep=deep)
    sequence = ordered(order, problems)
    flow = Flow(by_id, problems)
    for facts in sequence:
        flow.take(facts)
    return sequence


def _check_writers(order: Sequence[Facts], spec: Spec, problems: Problems) -> None:
    """Two steps must not publish into one folder."""
    first: dict[str, Facts] = {}
    for facts in order:
        if not isinstance(facts.instance, Writer):
            continue
        path = facts.instance.path()
        key = path.rstrip("/") if is_remote(path) else os.path.normpath(absolute(path, spec.base))
        other = first.setdefault(key, facts)
        if other is facts:
            continue
        place = find_value(facts.step.options, path)
        mark = facts.step.place("with", *place) if place is not None else facts.step.mark
        what = f"step {other.id!r} writes to {path!r} as well"
        problems.add(what, mark, step=facts.id, expected="a folder of its own for each write step")


def _checked(facts: Facts) -> CheckedStep:
    step = facts.step
    assert facts.operator is not None
    assert facts.registered is not None
    assert facts.options is not None
    return CheckedStep(
        id=step.id,
        uses=step.uses,
        registered=facts.registered,
        operator=facts.operator,
        options=facts.options,
        inputs=facts.inputs,
        column=step.column,
        keep=step.keep,
        resources={**facts.operator.resources, **step.resources},
        limits=step.limits,
        schema=facts.columns.types if facts.columns is not None else None,
        splits=facts.splits,
        mark=step.mark,
    )
