"""The arguments that every command on a spec takes: the file, `--set`, `--param`, `--profile`, `--no-plugin`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def spec_options(command: Command) -> Command:
    """Add the arguments; the command gets `spec`, `sets`, `params` (a dict), `profile` and `blocked`."""
    options = [
        click.argument("spec", type=click.Path(dir_okay=True)),
        click.option("--set", "sets", multiple=True, metavar="ID.OPTION=VALUE", help="Change an option of a step."),
        click.option(
            "--param", "params", multiple=True, metavar="NAME=VALUE", callback=named_values, help="Set a param."
        ),
        click.option("--profile", type=click.Path(), help="A file with run, store, resources and limits."),
        click.option("--no-plugin", "blocked", multiple=True, metavar="NAME", help="Leave a plugin out."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def named_values(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return NAME=VALUE arguments as a mapping; a click callback."""
    found = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r}: expected NAME=VALUE")
        found[name] = value
    return found
