"""The command line: one command, one file, imported when it is called."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

from corpusmill.cli.terminal import complain
from corpusmill.errors import CorpusmillError, nearest

COMMANDS = {
    "init": ("corpusmill.cli.init:init", "Make a starter project: a pipeline that runs, sample data, a plugin file."),
    "run": ("corpusmill.cli.run:run", "Run a pipeline; the same command continues one that was stopped."),
    "demo": ("corpusmill.cli.demo:demo", "Run the quickstart; --chaos kills it on the way and proves the same bytes."),
    "check": ("corpusmill.cli.check:check", "Check a pipeline file and report all problems at once."),
    "plan": ("corpusmill.cli.plan:plan", "Print what a run would do and why, without doing it."),
    "preview": ("corpusmill.cli.preview:preview", "Show what a step does to a few documents, storing nothing."),
    "show": ("corpusmill.cli.show:show", "Show a dataset: rows, schema, where it comes from."),
    "status": ("corpusmill.cli.status:status", "Show what runs are doing or have done."),
    "explain": ("corpusmill.cli.explain:explain", "Tell what each step of a run decided about one document."),
    "quarantine": ("corpusmill.cli.quarantine:quarantine", "List a run's bad records by reason, with their places."),
    "retry": ("corpusmill.cli.retry:retry", "Run a pipeline again, trying anew what its steps failed on."),
    "report": ("corpusmill.cli.report:report", "Write the HTML report of a run anew, with documents near thresholds."),
    "whatif": (
        "corpusmill.cli.whatif:whatif",
        "Say what a filter would remove with other thresholds, running nothing.",
    ),
    "verify": ("corpusmill.cli.verify:verify", "Read everything a store holds and say what is damaged or missing."),
    "gc": ("corpusmill.cli.gc:gc", "Remove from a store what nothing names: leftovers of killed runs."),
    "plugins": ("corpusmill.cli.plugins:plugins", "List all operators, or show one with its options."),
    "try": ("corpusmill.cli.try_:try_", "Try one operator, or a plugin file, on a few documents."),
    "schema": ("corpusmill.cli.schema:schema", "Print the JSON Schema of pipeline files, for completion in editors."),
    "version": ("corpusmill.cli.version:version", "Print the versions of corpusmill and what it stands on."),
}
"""Command -> (`module:function`, one line of help). Help of the group is printed from here, importing nothing."""


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = nearest(name, COMMANDS)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: corpusmill check pipelines/quickstart.yaml",
)
@click.pass_context
def corpusmill(ctx: click.Context) -> None:
    """Raw text to a clean corpus, and on to a trained, evaluated model, from one YAML file."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong spec or usage, 3 too many bad records, 130 stopped."""
    sys.exit(_code(arguments))


def _code(arguments: Sequence[str] | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning(warnings.showwarning)
            result = corpusmill.main(arguments, prog_name="corpusmill", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("stopped")
        return 130
    except CorpusmillError as error:
        complain(_without_secrets(str(error)))
        return error.exit_code
    except Exception:
        import traceback

        told = traceback.format_exc()
        if _without_secrets(told) == told:
            raise
        complain(_without_secrets(told))
        return 1
    finally:
        _met().clear()
    return result if isinstance(result, int) else 0


def _show_warning(others: Callable[..., None]) -> Callable[..., None]:
    """Show what observers of a run raise as people read it: which line of ours warns helps nobody."""

    def show(message: Warning | str, category: type[Warning], filename: str, *rest: Any, **named: Any) -> None:
        if issubclass(category, RuntimeWarning) and filename.endswith("observers.py"):
            complain(f"warning: {message}")
        else:
            others(message, category, filename, *rest, **named)

    return show


def _without_secrets(text: str) -> str:
    """Hide values of `${env:X}` that the command met."""
    met = _met()
    if not met:
        return text
    from corpusmill.spec.secrets import redact

    return redact(text, met)


def _met() -> dict[str, str]:
    """Return what the command met; a command that read no spec has not even loaded the module."""
    return getattr(sys.modules.get("corpusmill.spec.secrets"), "MET", {})
