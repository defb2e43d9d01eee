"""Finding plugins by packaging metadata alone, and registering them one by one, so that a broken one stops no other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any

import pluggy

from corpusmill import API
from corpusmill.errors import CorpusmillError, nearest
from corpusmill.plugin import hookspecs
from corpusmill.plugin.identity import code_identity
from corpusmill.plugin.local import LocalPlugin
from corpusmill.plugin.registry import Broken, Origin, Registry
from corpusmill.plugin.surroundings import undisturbed

__all__ = ["Found", "LocalPlugin", "blocked_names", "code_identity", "find", "load_registry", "plugin_manager"]

GROUP = "corpusmill"
BLOCK = "CORPUSMILL_NO_PLUGINS"
API_NAME = "corpusmill_api"
"""What a plugin's module may set to the version of the interface it is written for; without it that is 1."""


@dataclass(frozen=True)
class Found:
    """A plugin known by metadata only; `load` imports its module."""

    origin: Origin
    entry: EntryPoint | LocalPlugin

    def load(self) -> Any:
        """Import the plugin; passes on whatever its module raises."""
        return self.entry.load()


def blocked_names(names: Iterable[str] = ()) -> frozenset[str]:
    """Names to leave out: those given, and those in CORPUSMILL_NO_PLUGINS (separated by commas)."""
    listed = os.environ.get(BLOCK, "").split(",")
    return frozenset(_normal(name) for name in (*names, *listed) if name.strip())


def find(blocked: Iterable[str] = ()) -> list[Found]:
    """All installed plugins, sorted by distribution and name, so that nothing depends on installation order.

    `blocked` names entry points (`filters`), distributions (`acme-filters`) or both (`acme-filters:emoji`).
    """
    out = blocked_names(blocked)
    described = cache(_describe)  # parsing metadata is most of a search, and a distribution often has many plugins
    found = {}
    for entry in entry_points(group=GROUP):
        package = described(entry.dist) if entry.dist is not None else None
        distribution = (package and package.distribution) or ""
        found[distribution, entry.name] = Found(_origin(entry, package), entry)
    return [one for key, one in sorted(found.items()) if not out & _names(*key)]


def plugin_manager(local: Sequence[LocalPlugin] = (), *, blocked: Iterable[str] = ()) -> pluggy.PluginManager:
    """Return the manager with every usable plugin registered; observers are called through its `hook`."""
    with undisturbed():
        return _load(local, blocked)[0]


def load_registry(local: Sequence[LocalPlugin] = (), *, blocked: Iterable[str] = ()) -> Registry:
    """Return the names of all operators. Plugins that cannot be loaded are listed in `broken`, with the cause."""
    with undisturbed():
        manager, registry, found = _load(local, blocked)
        for one in found:
            plugin = manager.get_plugin(one.origin.plugin)
            if plugin is not None:
                _register_operators(manager, registry, one.origin, plugin)
    registry.origin = Origin("?")
    return registry


def _load(local: Sequence[LocalPlugin], blocked: Iterable[str]) -> tuple[pluggy.PluginManager, Registry, list[Found]]:
    manager, registry = pluggy.PluginManager(hookspecs.PROJECT), Registry()
    manager.add_hookspecs(hookspecs)
    files = {plugin.module: plugin for plugin in local}  # the same bytes under two names are one plugin
    found = find(blocked) + [Found(_local_origin(plugin), plugin) for plugin in files.values()]
    for one in found:
        cause = _register_plugin(manager, one)
        if cause:
            registry.broken.append(Broken(one.origin, cause))
        else:
            registry.origins.append(one.origin)
    return manager, registry, found


def _register_plugin(manager: pluggy.PluginManager, found: Found) -> str | None:
    """Import and register one plugin; return what is wrong with it, or None."""
    name = found.origin.plugin
    try:
        plugin = found.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module must not take the others down
        return f"its import raised {_said(error)}{_api_hint(error)}"
    if cause := _api_cause(plugin):
        return cause
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        return _hook_cause(plugin, error)
    return None if manager.get_hookcallers(plugin) else _no_hook(plugin)


def _register_operators(manager: pluggy.PluginManager, registry: Registry, origin: Origin, plugin: Any) -> None:
    """Let one plugin name its operators; all of them or, when it raises, none."""
    others = [other for other in manager.get_plugins() if other is not plugin]
    registry.origin = origin
    operators, trackers, conflicts = dict(registry.operators), dict(registry.trackers), dict(registry.conflicts)
    try:
        manager.subset_hook_caller("corpusmill_register", remove_plugins=others)(registry=registry)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above: only this plugin is out
        registry.operators, registry.trackers, registry.conflicts = operators, trackers, conflicts
        registry.origins.remove(origin)
        registry.broken.append(Broken(origin, f"corpusmill_register raised {_said(error)}"))


def _api_cause(plugin: Any) -> str | None:
    """Say that a plugin is written for another interface; one that says nothing is written for the first."""
    written = getattr(plugin, API_NAME, 1)
    if isinstance(written, bool) or not isinstance(written, int):
        return f"its {API_NAME} is {written!r}; expected a whole number, such as {API}"
    if written == API:
        return None
    remedy = "pip install --upgrade corpusmill" if written > API else "install a newer version of the plugin"
    return f"it is written for version {written} of the plugin interface, this corpusmill has version {API}: {remedy}"


def _api_hint(error: BaseException) -> str:
    """Name the interface where a plugin asks the face for what is not there: often it is of another version."""
    asked = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == hookspecs.PROJECT
    return f" (this corpusmill has version {API} of the plugin interface)" if asked else ""


def _hook_cause(plugin: Any, error: Exception) -> str:
    known = [name for name in vars(hookspecs) if name.startswith("corpusmill_")]
    for name in vars(plugin) if hasattr(plugin, "__dict__") else ():
        if name.startswith("corpusmill_") and name not in known and callable(getattr(plugin, name)):
            near = nearest(name, known)
            return f"it has an unknown hook {name!r}" + (f", the nearest is {near!r}" if near else "")
    return " ".join(str(error).split())


def _no_hook(plugin: Any) -> str:
    if callable(getattr(plugin, "corpusmill_register", None)):
        return "its corpusmill_register is not marked with @corpusmill.hookimpl"
    return "it has no hook: define corpusmill_register(registry) and mark it with @corpusmill.hookimpl"


def _said(error: BaseException) -> str:
    words = error.what if isinstance(error, CorpusmillError) else str(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _names(distribution: str, name: str) -> frozenset[str]:
    return frozenset({distribution, _normal(name), _normal(f"{distribution}:{name}")})


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _describe(distribution: Distribution) -> Origin:
    name, version = _normal(distribution.name), distribution.version
    return Origin(f"{name} {version}", name, version, _is_editable(distribution))


def _origin(entry: EntryPoint, package: Origin | None) -> Origin:
    if package is None:
        return Origin(entry.name, plugin=entry.name)
    return replace(package, plugin=f"{package.distribution}:{entry.name}")


def _local_origin(plugin: LocalPlugin) -> Origin:
    return Origin(plugin.name, local=plugin.module, plugin=plugin.module)


def _is_editable(distribution: Distribution) -> bool:
    """True for `pip install -e`, whose source changes without a new version (PEP 610)."""
    try:
        record = json.loads(distribution.read_text("direct_url.json") or "{}")
    except (ValueError, OSError):
        return False
    return bool(record.get("dir_info", {}).get("editable"))
