"""`corpusmill plugins`: what is installed, and one operator in full."""

from __future__ import annotations

import sys
from typing import Any

import click

from corpusmill.cli.plugins_new import new
from corpusmill.cli.terminal import complain, say, say_json, say_rows
from corpusmill.errors import CorpusmillError
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.registry import KINDS, TRACK, Registered, Registry
from corpusmill.plugin.resolve import missing_distributions

_BLOCK = click.option("--no-plugin", "blocked", multiple=True, metavar="NAME", help="Leave a plugin out.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_FILE = click.option("--file", "files", multiple=True, type=click.Path(), help="A plugin file to load as well.")


_CHECK = "check"


class _Plugins(click.Group):
    """Imports `check` when it is called: listing plugins loads nothing heavy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [_CHECK, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != _CHECK:
            return super().get_command(ctx, cmd_name)
        from corpusmill.cli.plugin_check import check

        return check


@click.group(cls=_Plugins, invoke_without_command=True, epilog="Example: corpusmill plugins show filter.gopher-quality")
@_BLOCK
@_FILE
@_JSON
@click.pass_context
def plugins(ctx: click.Context, blocked: tuple[str, ...], files: tuple[str, ...], as_json: bool) -> None:
    """List all operators with what they do and where they come from; plugins that cannot be loaded are marked."""
    if ctx.invoked_subcommand == _CHECK:
        ctx.obj = (files, blocked)
        return
    registry = load_registry(_local(files), blocked=blocked)
    if ctx.invoked_subcommand is not None:
        ctx.obj = registry
    elif as_json:
        say_json(_as_json(registry))
    else:
        _table(registry)


@plugins.command(epilog="Example: corpusmill plugins show dedup.minhash")
@click.argument("uses", metavar="KIND.NAME")
@_JSON
@click.pass_obj
def show(registry: Registry, uses: str, as_json: bool) -> None:
    """Show one operator: what it does, its inputs and outputs, columns, options with types, ranges and defaults."""
    try:
        registered = registry.lookup_tracker(uses) if uses.startswith(f"{TRACK}.") else registry.lookup(uses)
    except CorpusmillError as error:
        near = registry.nearest(uses)
        complain(str(error) + (f"\n  nearest: {near}" if near else ""))
        sys.exit(error.exit_code)
    from corpusmill.cli.operator_page import operator_facts, say_operator, say_tracker, tracker_facts

    is_tracker = uses.startswith(f"{TRACK}.")
    facts = tracker_facts(registered) if is_tracker else operator_facts(registered)
    if as_json:
        say_json(facts)
    else:
        (say_tracker if is_tracker else say_operator)(facts)


plugins.add_command(new)


def _local(files: tuple[str, ...]) -> tuple[LocalPlugin, ...]:
    from pathlib import Path

    return tuple(LocalPlugin.read(name, Path.cwd()) for name in files)


def _table(registry: Registry) -> None:
    rows = []
    for registered in _sorted(registry):
        missing = missing_distributions(registered)
        pip = f" [needs: pip install '{registered.origin.distribution}[{registered.extra}]']" if missing else ""
        rows.append((registered.uses, f"{registered.summary}{pip} ({registered.owner})"))
    if rows:
        say_rows(rows, indent=0)
    else:
        say("no operators are installed")
    for uses, owners in sorted(registry.conflicts.items()):
        complain(
            f"conflict: {uses} is registered by {owners[0]} and by {owners[1]}; leave one out with --no-plugin NAME"
        )
    for broken in registry.broken:
        origin = broken.origin
        complain(f"broken: {origin.name if origin.local else f'{origin.plugin} ({origin.name})'}: {broken.cause}")


def _sorted(registry: Registry) -> list[Registered]:
    kinds = [*KINDS, TRACK]
    every = [*registry.operators.values(), *registry.trackers.values()]
    return sorted(every, key=lambda one: (kinds.index(one.uses.split(".")[0]), one.uses))


def _as_json(registry: Registry) -> dict[str, Any]:
    operators = [
        {
            "uses": one.uses,
            "summary": one.summary,
            "owner": one.owner,
            "plugin": one.origin.plugin,
            "target": one.target,
            "extra": one.extra,
            "missing": missing_distributions(one),
        }
        for one in _sorted(registry)
    ]
    broken = [{"plugin": one.origin.plugin, "owner": one.origin.name, "cause": one.cause} for one in registry.broken]
    return {"operators": operators, "broken": broken, "conflicts": registry.conflicts}
