"""What is laid over a spec: a profile, then single settings, then `--set PATH=VALUE`; the later wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from corpusmill.errors import nearest
from corpusmill.spec.composer import compose
from corpusmill.spec.nodes import ListNode, MapNode, Node, from_plain, moved
from corpusmill.spec.problems import Mark, Problems

Override = str | tuple[str, Any]
"""`PATH=VALUE` as the command line gives it, or a path and a Python value."""

_PROFILE = ("run", "store", "resources", "limits")
_TOP = ("name", "seed", "store")
_TOP_GROUPS = ("run", "limits")
_STEP_GROUPS = ("resources", "limits")
_FORM = "ID.OPTION=VALUE, for example --set near.threshold=0.7 or --set extract.resources.gpus=1"


def apply_profile(root: MapNode, profile: Node | None, problems: Problems) -> None:
    """Lay a profile over the spec: it says where and how wide, never what."""
    if profile is None:
        return
    if not isinstance(profile, MapNode):
        problems.add("a profile must be a mapping", profile.mark, expected=f"keys among {', '.join(_PROFILE)}")
        return
    for name, node in profile.items.items():
        if name not in _PROFILE:
            expected = f"one of {', '.join(_PROFILE)}: a profile says where, never what"
            problems.add(f"unknown key {name!r}", profile.key(name), expected=expected, near=nearest(name, _PROFILE))
        elif name == "resources":
            _profile_resources(root, node, problems)
        elif isinstance(node, MapNode):
            _group(root, name, node.mark).items.update(node.items)
            _group(root, name, node.mark).keys.update(node.keys)
        else:
            root.put(name, node)


def apply_settings(root: MapNode, settings: Mapping[str, Any]) -> None:
    """Set top-level values by dotted path (`run.executor`, `store`), as command-line options do."""
    for path, value in settings.items():
        *groups, name = path.split(".")
        target = root
        for group in groups:
            target = _group(target, group, Mark(path=(group,), origin=f"--{name}"))
        target.put(name, from_plain(value, tuple(path.split(".")), f"--{name.replace('_', '-')}"))


def apply_sets(root: MapNode, sets: Iterable[Override], problems: Problems) -> None:
    """Apply `--set PATH=VALUE`; the value is YAML: a number, a text, `[1, 2]`, `{type: linear}`.

    From Python the value comes as it is: a pair of path and value.
    """
    for one in sets:
        if not isinstance(one, str):
            _set_plain(root, one[0], one[1], problems)
            continue
        text = one
        path, equals, value = text.partition("=")
        origin = f"--set {path}"
        if not equals or not all(path.split(".")):
            problems.add(f"cannot read {text!r}", Mark(origin="--set"), expected=_FORM)
            continue
        node = compose(value, problems, origin) or Node(Mark(origin=origin))
        _set(root, path.split("."), node, Mark(origin=origin), problems)


def _set_plain(root: MapNode, path: str, value: Any, problems: Problems) -> None:
    mark = Mark(origin=path)
    try:
        node = from_plain(value, tuple(path.split(".")), path)
    except ValueError as error:
        problems.add(str(error), mark, expected="text, numbers, booleans, lists and mappings")
        return
    _set(root, path.split("."), node, mark, problems)


def _set(root: MapNode, parts: list[str], node: Node, mark: Mark, problems: Problems) -> None:
    steps = steps_by_id(root)
    if parts[0] in steps and len(parts) > 1:
        step = steps[parts[0]]
        below = parts[1:] if parts[1] in (*_STEP_GROUPS, "with") and len(parts) > 2 else ["with", *parts[1:]]
        _put(step, below, node, mark, problems)
    elif (len(parts) == 1 and parts[0] in _TOP) or (len(parts) == 2 and parts[0] in _TOP_GROUPS):
        _put(root, parts, node, mark, problems)
    else:
        known = [*steps, *(_TOP if len(parts) == 1 else _TOP_GROUPS)]
        expected = _FORM if len(parts) == 1 else f"one of {', '.join(sorted(known))}"
        problems.add(f"unknown step {parts[0]!r}", mark, expected=expected, near=nearest(parts[0], known))


def _put(target: MapNode, parts: list[str], node: Node, mark: Mark, problems: Problems) -> None:
    for part in parts[:-1]:
        inner = target.items.get(part)
        if inner is not None and not isinstance(inner, MapNode) and inner.value is not None:
            problems.add(f"{part!r} is not a mapping, so nothing in it can be set", mark)
            return
        target = _group(target, part, mark)
    target.put(parts[-1], moved(node, (*target.mark.path, parts[-1]), mark))


def steps_by_id(root: MapNode) -> dict[str, MapNode]:
    """The step mappings by their id; a step without one goes by its operator's name."""
    steps = root.items.get("steps")
    found: dict[str, MapNode] = {}
    for step in steps.items if isinstance(steps, ListNode) else ():
        if isinstance(step, MapNode):
            named, uses = step.items.get("id"), step.items.get("uses")
            name = named.value if named else str(uses.value).replace(".", "-") if uses else None
            if isinstance(name, str):
                found.setdefault(name, step)
    return found


def _profile_resources(root: MapNode, node: Node, problems: Problems) -> None:
    steps = steps_by_id(root)
    if not isinstance(node, MapNode):
        problems.add("resources must be a mapping", node.mark, expected="{STEP: {cpus, gpus, memory, actors, workers}}")
        return
    for name, item in node.items.items():
        if name not in steps:
            problems.unknown("step", name, steps, node.key(name))
        elif isinstance(item, MapNode):
            target = _group(steps[name], "resources", item.mark)
            target.items.update(item.items)
            target.keys.update(item.keys)
        else:
            problems.add(f"resources of {name!r} must be a mapping", item.mark)


def _group(target: MapNode, name: str, mark: Mark) -> MapNode:
    """The mapping under a key, made when it is not there; a wrong value there is replaced."""
    inner = target.items.get(name)
    if isinstance(inner, MapNode):
        return inner
    made = MapNode(Mark(mark.line, mark.column, mark.length, (*target.mark.path, name), mark.origin))
    target.put(name, made)
    return made
