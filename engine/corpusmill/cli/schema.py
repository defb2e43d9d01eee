"""`corpusmill schema`: the spec as JSON Schema, so that editors complete and check it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from corpusmill.cli.terminal import complain, say
from corpusmill.errors import UsageError
from corpusmill.plugin.registry import Registry

SCHEMA_FILE = "corpusmill.schema.json"
"""The name that the first line of the shipped pipelines points to."""


@click.command(epilog=f"Example: corpusmill schema --file ./no_emoji.py --output {SCHEMA_FILE}")
@click.option("--output", "-o", metavar="FILE", help="Write to a file instead of printing.")
@click.option("--file", "files", multiple=True, metavar="FILE", help="A plugin file whose operators belong to it.")
@click.option("--no-plugin", "blocked", multiple=True, metavar="NAME", help="Leave a plugin out.")
def schema(output: str | None, files: tuple[str, ...], blocked: tuple[str, ...]) -> None:
    """Print the JSON Schema of pipeline files: keys, installed operators, their options with help and defaults.

    Editors with the YAML language server use it for completion and checks. The first line of a pipeline names it:
    `# yaml-language-server: $schema=./corpusmill.schema.json`
    """
    from corpusmill.plugin.finder import LocalPlugin, load_registry

    local = tuple(LocalPlugin.read(name, Path.cwd()) for name in files)
    registry = load_registry(local, blocked=blocked)
    for broken in registry.broken:
        complain(f"warning: plugin {broken.origin.plugin} ({broken.origin.name}) cannot be loaded: {broken.cause}")
    text = schema_text(registry)
    if output is None:
        click.echo(text, nl=False)
        return
    _replace(Path(output), text)
    say(f"wrote {output}: {len(registry.operators)} operators")


def schema_text(registry: Registry) -> str:
    """Return the schema of a registry as it stands in a file."""
    from corpusmill.plan.editor_schema import editor_schema

    return json.dumps(editor_schema(registry), indent=1, ensure_ascii=False) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write the file; one that is no JSON Schema is somebody's work and stays."""
    try:
        if path.exists() and not _is_schema(path):
            raise UsageError(f"{path} exists and is not a JSON Schema", expected="a new file, or a schema to replace")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def _is_schema(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(found, dict) and "$schema" in found
