"""What is to be checked: an operator by name, all operators of a plugin, or those of a plugin file."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusmill.errors import CorpusmillError, PluginError, UsageError, nearest
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.registry import Registered, Registry
from corpusmill.plugin.resolve import resolve
from corpusmill.testing.attempt import display_path
from corpusmill.testing.checking import check_operator
from corpusmill.testing.findings import FAILED, PASSED, Finding, Report

LOADS = "loads"
_SAYS = "a plugin can be imported and its operators loaded, each name is its own, and options can be found to try it"


def is_file(target: str) -> bool:
    """True where a target means a plugin file."""
    return target.endswith(".py") or Path(target).is_file()


def check_plugin(
    target: str, *, options: Mapping[str, Any] | None = None, files: tuple[str, ...] = (), blocked: tuple[str, ...] = ()
) -> list[Report]:
    """Check all operators that `target` means, in the order they were registered.

    `target`: `filter.length`, a distribution (`acme-filters`), one of its plugins (`acme-filters:emoji`), or a plugin
    file. `options` go to every operator that has them. What cannot be loaded is a finding of the claim `loads`.
    Raises PluginError for a name that is not known and for a file that cannot be read.
    """
    local = [
        LocalPlugin.read(name, Path.cwd()) for name in dict.fromkeys((*files, *([target] if is_file(target) else [])))
    ]
    registry = load_registry(local, blocked=blocked)
    origin = {one.name: one.module for one in local}.get(target)
    reports = [_broken(target, cause, local) for cause in _causes(registry, target, origin)]
    found = _operators(registry, target, origin)
    reports += [_conflict(registry, uses) for uses in _conflicts(registry, target, origin)]
    if not reports and not found:
        if origin is None and not any(target in _names(one) for one in registry.origins):
            registry.lookup(target)
        # A plugin of observers alone: it loads, and there is no operator to hold against anything.
        return [Report(target, (Finding(target, LOADS, PASSED, _SAYS),), {})]
    given = _shared(found, options or {})
    return [*reports, *(_check(one, given.get(one.uses, {})) for one in found)]


def _names(registered_origin: Any) -> set[str]:
    origin = registered_origin
    return {name for name in (origin.plugin, origin.distribution, origin.name) if name}


def _operators(registry: Registry, target: str, module: str | None) -> list[Registered]:
    if target in registry.operators and target not in registry.conflicts:
        return [registry.operators[target]]
    wanted = {module} if module is not None else {target}
    return [
        one
        for uses, one in registry.operators.items()
        if uses not in registry.conflicts and wanted & (_names(one.origin) | {one.origin.local})
    ]


def _causes(registry: Registry, target: str, module: str | None) -> list[str]:
    wanted = {module or target}
    return [one.cause for one in registry.broken if wanted & (_names(one.origin) | {one.origin.local})]


def _conflicts(registry: Registry, target: str, module: str | None) -> list[str]:
    del module
    return [
        uses
        for uses, owners in registry.conflicts.items()
        if uses == target or any(owner == target or owner.split(" ")[0] == target for owner in owners)
    ]


def _broken(target: str, cause: str, local: list[LocalPlugin]) -> Report:
    where = next((_place_of_import(one) for one in local if one.name == target), None)
    return _not_loaded(target, cause, where, "correct what stands there, then check again")


def _place_of_import(plugin: LocalPlugin) -> str | None:
    """Return file and line of what a plugin file raises while it is imported."""
    try:
        plugin.load()
    except SyntaxError as error:
        return f"{display_path(plugin.name)}:{error.lineno}" if error.filename == plugin.name else plugin.name
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module may raise anything
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == plugin.name]
        return f"{display_path(plugin.name)}:{lines[-1]}" if lines else plugin.name
    return display_path(plugin.name)


def _conflict(registry: Registry, uses: str) -> Report:
    first, second = registry.conflicts[uses]
    seen = f"{uses!r} is registered twice: by {first} and by {second}"
    return _not_loaded(uses, seen, None, "give it another name in corpusmill_register")


def _check(registered: Registered, options: Mapping[str, Any]) -> Report:
    try:
        operator = resolve(registered)
        report = check_operator(operator, options=options)
    except (PluginError, UsageError) as error:
        seen = error.what + (f"; expected {error.expected}" if error.expected else "")
        where = registered.origin.name if registered.origin.local is not None else None
        return _not_loaded(registered.uses, seen, where, error.hint or "")
    findings = tuple(replace(one, operator=registered.uses) for one in report.findings)
    return Report(registered.uses, findings, report.options)


def _not_loaded(uses: str, seen: str, where: str | None, hint: str) -> Report:
    return Report(uses, (Finding(uses, LOADS, FAILED, _SAYS, seen, None, where, hint),), {})


def _shared(found: list[Registered], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return for each operator those of the options that it has; raises UsageError for one that none has."""
    fields: dict[str, set[str]] = {}
    for one in found:
        try:
            fields[one.uses] = set(resolve(one).Options.model_fields)
        except CorpusmillError:
            continue
    known = set().union(*fields.values()) if fields else set()
    for name in options:
        if name not in known and fields:
            near = nearest(name, known)
            raise UsageError(
                f"no operator has an option {name!r}",
                expected=f"one of {', '.join(sorted(known))}" if known else "no options",
                hint=f"did you mean {near!r}?" if near else f"corpusmill plugins show {found[0].uses}",
            )
    return {uses: {name: options[name] for name in options if name in mine} for uses, mine in fields.items()}
