"""From nodes to the typed spec: each key read once, with its type, and every other key refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from corpusmill.spec.fields import Fields
from corpusmill.spec.model import DEEPEST_JSON, Limits, PluginName, RunSettings, Spec, Step
from corpusmill.spec.nodes import ListNode, MapNode, Node, is_null, marks_below, plain
from corpusmill.spec.problems import Mark, Problems
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.references import ID, read_needs
from corpusmill.spec.scalars import type_name

VERSION = 1
TOP_KEYS = ("corpusmill", "name", "seed", "params", "plugins", "store", "limits", "run", "steps", "search")
STEP_KEYS = ("id", "uses", "with", "needs", "column", "keep", "resources", "limits")
LIMIT_KEYS = (
    "max_bad_fraction",
    "max_bad_records",
    "max_document_bytes",
    "max_json_depth",
    "max_expansion",
    "max_expanded_bytes",
    "on_corrupt_file",
    "deadline",
)
RUN_KEYS = ("executor", "address", "workers", "in_flight", "batch_bytes", "worker_memory", "scratch", "track")
RESOURCE_KEYS = ("cpus", "gpus", "memory", "actors", "workers", "accelerator")
SEARCH_KEYS = ("method", "vary", "objective", "trials", "seeds", "stop", "concurrent")


_LISTED = 8
"""Places of equal ids that are told."""


def build(root: MapNode, params: dict[str, Any], spec: Spec, problems: Problems) -> Spec:
    """Fill in a spec from its root mapping; what is wrong is left at its default and recorded."""
    fields = Fields(root, problems)
    fields.only(TOP_KEYS)
    _check_version(fields, problems)
    limits = _limits(fields, Limits())
    search = fields.mapping("search")
    if search is not None:
        Fields(search, problems).only(SEARCH_KEYS)
    return replace(
        spec,
        name=_name(fields, problems),
        seed=fields.integer("seed", least=-(2**63)) or 0,
        params=params,
        plugins=_plugins(fields, problems),
        store=fields.text("store"),
        limits=limits,
        run=_run(fields),
        steps=_steps(fields, limits, problems),
        search=plain(search) if search is not None else None,
        search_marks=_search_marks(search),
        redacted=problems.redacted,
        lines=tuple(problems.lines),
        sources=problems.sources,
    )


def _search_marks(search: MapNode | None) -> dict[Place, Mark]:
    """Places of values; what is varied is named by keys, so there the key's place."""
    if search is None:
        return {}
    values, keys = marks_below(search, 1)
    return values | {place: mark for place, mark in keys.items() if place[0] == "vary" and len(place) == 2}


def _check_version(fields: Fields, problems: Problems) -> None:
    if not fields.given("corpusmill"):
        hint = "put `corpusmill: 1` on the first line"
        problems.add(
            "key 'corpusmill' is missing", fields.node.mark, expected="the version of the spec language: 1", hint=hint
        )
        return
    version = fields.integer("corpusmill")
    if version is not None and version != VERSION:
        mark = fields.node.items["corpusmill"].mark
        hint = "pip install --upgrade corpusmill" if version > VERSION else f"put `corpusmill: {VERSION}` there"
        problems.add(f"spec version {version} is not known to this corpusmill", mark, expected=str(VERSION), hint=hint)


def _name(fields: Fields, problems: Problems) -> str:
    name = fields.text("name")
    if not fields.given("name"):
        problems.add("key 'name' is missing", fields.node.mark, expected="a name for the pipeline, such as quickstart")
    elif name is not None and (not name.strip() or "/" in name or name.startswith(".") or not name.isprintable()):
        mark = fields.node.items["name"].mark
        problems.add(f"name is {name!r}", mark, expected="a name that can be a folder: no '/', no '.' in front")
    return name or ""


def _plugins(fields: Fields, problems: Problems) -> tuple[PluginName, ...]:
    found = []
    listed = fields.sequence("plugins")
    for item in listed.items if listed else ():
        if isinstance(item.value, str) and item.value:
            found.append(PluginName(item.value, item.mark))
        else:
            expected = "the name of an installed distribution, or a file such as ./my_filter.py"
            problems.add("a plugin must be a text", item.mark, expected=expected)
    return tuple(found)


def _run(fields: Fields) -> RunSettings:
    node = fields.mapping("run")
    if node is None:
        return RunSettings()
    run = Fields(node, fields.problems)
    run.only(RUN_KEYS)
    values = {
        "executor": run.text("executor", ("auto", "inline", "ray")),
        "address": run.text("address"),
        "workers": run.integer("workers", least=1),
        "in_flight": run.integer("in_flight", least=1),
        "batch_bytes": run.size("batch_bytes"),
        "worker_memory": run.size("worker_memory"),
        "scratch": run.text("scratch"),
    }
    given = {name: value for name, value in values.items() if value is not None}
    return RunSettings(**given, track=_trackers(run))  # type: ignore[arg-type]


def _trackers(run: Fields) -> tuple[Step, ...]:
    """Trackers are written like steps without inputs, so that their options are checked and pointed at like those."""
    listed, found = run.sequence("track"), []
    for index, node in enumerate(listed.items if listed else ()):
        if not isinstance(node, MapNode):
            run.problems.add("a tracker is no mapping", node.mark, expected="{uses: track.NAME, with: {…}}")
            continue
        Fields(node, run.problems).only(("uses", "with"))
        step = _step(node, index, Limits(), run.problems)
        if step is not None and step.uses:
            found.append(step)
    return tuple(found)


def _limits(fields: Fields, around: Limits) -> Limits:
    node = fields.mapping("limits")
    if node is None:
        return around
    limits = Fields(node, fields.problems, fields.step)
    limits.only(LIMIT_KEYS)
    values: dict[str, Any] = {
        "max_bad_fraction": limits.number("max_bad_fraction", most=1.0),
        "max_bad_records": limits.integer("max_bad_records"),
        "max_document_bytes": limits.size("max_document_bytes"),
        "max_json_depth": limits.integer("max_json_depth", least=1, most=DEEPEST_JSON),
        "max_expansion": limits.integer("max_expansion", least=1),
        "on_corrupt_file": limits.text("on_corrupt_file", ("fail", "quarantine")),
    }
    unbounded: dict[str, Any] = {}
    for name, read in (("max_expanded_bytes", limits.size), ("deadline", limits.duration)):
        if name in node.items and is_null(node.items[name]):
            unbounded[name] = None
        elif name in node.items:
            values[name] = read(name)
    return replace(around, **{name: value for name, value in values.items() if value is not None}, **unbounded)


def _steps(fields: Fields, limits: Limits, problems: Problems) -> tuple[Step, ...]:
    listed = fields.sequence("steps")
    if listed is None or not listed.items:
        if not fields.given("steps") or listed is not None or fields.node.items["steps"].value is None:
            expected = "a list: steps: [{uses: read.jsonl, with: {paths: data/*.jsonl}}, …]"
            problems.add("the spec has no steps", fields.node.key("steps"), expected=expected)
        return ()
    steps = [_step(node, index, limits, problems) for index, node in enumerate(listed.items)]
    found = [step for step in steps if step is not None]
    _check_duplicates(found, problems)
    return tuple(found)


def _step(node: Node, index: int, limits: Limits, problems: Problems) -> Step | None:
    if not isinstance(node, MapNode):
        shown = "a list" if isinstance(node, ListNode) else f"{type_name(node.value)}: {node.value!r}"
        problems.add(f"a step is {shown}", node.mark, expected="{uses: KIND.NAME, …}")
        return None
    uses = _uses(node, problems)
    step_id = _id(node, uses, index, problems)
    fields = Fields(node, problems, step_id)
    fields.only(STEP_KEYS)
    options = fields.mapping("with")
    needs = node.items.get("needs")
    values, keys = marks_below(node, len(node.mark.path))
    return Step(
        id=step_id,
        uses=uses,
        options=plain(options) if options is not None else {},
        needs=read_needs(needs, step_id, problems) if needs is not None else None,
        column=fields.text("column") or "text",
        keep=fields.boolean("keep") or False,
        resources=_resources(fields),
        limits=_limits(fields, limits),
        index=index,
        mark=node.items["uses"].mark if uses else node.mark,
        marks=values,
        key_marks=keys,
    )


def _uses(node: MapNode, problems: Problems) -> str:
    if "uses" not in node.items:
        problems.add("a step without 'uses'", node.mark, expected="uses: KIND.NAME, for example uses: read.jsonl")
        return ""
    uses = node.items["uses"]
    if not isinstance(uses.value, str) or uses.value.count(".") != 1:
        expected = "KIND.NAME, for example read.jsonl"
        problems.add(
            f"uses is {plain(uses)!r}", uses.mark, expected=expected, hint="corpusmill plugins lists all operators"
        )
        return ""
    return uses.value


def _id(node: MapNode, uses: str, index: int, problems: Problems) -> str:
    given = node.items.get("id")
    if given is None:
        return uses.replace(".", "-") if uses else f"step-{index + 1}"
    if isinstance(given.value, str) and ID.fullmatch(given.value):
        return given.value
    expected = "lower-case letters, digits and '-', a letter first"
    hint = f"write another, such as {uses.replace('.', '-')}" if uses else None
    problems.add(f"id is {plain(given)!r}", given.mark, expected=expected, hint=hint)
    return str(plain(given))


def _check_duplicates(steps: list[Step], problems: Problems) -> None:
    by_id: dict[str, list[Step]] = {}
    for step in steps:
        by_id.setdefault(step.id, []).append(step)
    for step in steps:
        equal = by_id[step.id]
        if len(equal) == 1:
            continue
        mark = step.place("id") if ("id",) in step.marks else step.mark
        same = [other for other in equal[: _LISTED + 1] if other is not step][:_LISTED]
        more = len(equal) - 1 - len(same)
        places = ", ".join(_place(other) for other in same) + (f" and at {more:,} more places" if more else "")
        expected = f"each id once; also {places}"
        hint = f"give it an id of its own: {{id: {step.id}-2, uses: {step.uses}}}"
        problems.add(f"step id {step.id!r} stands twice", mark, expected=expected, hint=hint)


def _place(step: Step) -> str:
    mark = step.place("id") if ("id",) in step.marks else step.mark
    return f"on line {mark.line}" if mark.line else f"at steps[{step.index}]"


def _resources(fields: Fields) -> dict[str, Any]:
    node = fields.mapping("resources")
    if node is None:
        return {}
    resources = Fields(node, fields.problems, fields.step)
    resources.only(RESOURCE_KEYS)
    values = {
        "cpus": resources.number("cpus"),
        "gpus": resources.number("gpus"),
        "memory": resources.size("memory"),
        "actors": _actors(resources),
        "workers": resources.integer("workers", least=1),
        "accelerator": resources.text("accelerator"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _actors(fields: Fields) -> int | tuple[int, int] | None:
    node = fields.node.items.get("actors")
    if not isinstance(node, ListNode):
        return fields.integer("actors", least=1)
    bounds = plain(node)
    if len(bounds) == 2 and all(type(bound) is int and bound >= 1 for bound in bounds) and bounds[0] <= bounds[1]:
        return bounds[0], bounds[1]
    expected = "a number, or [MIN, MAX] with 1 ≤ MIN ≤ MAX"
    fields.problems.add(f"actors is {bounds!r}", node.mark, step=fields.step, expected=expected)
    return None
