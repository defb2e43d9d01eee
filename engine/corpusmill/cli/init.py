"""`corpusmill init`: a small project that runs, to be changed into one's own."""

from __future__ import annotations

import re
from pathlib import Path

import click

from corpusmill.cli.scaffold import template, write_new
from corpusmill.cli.schema import SCHEMA_FILE, schema_text
from corpusmill.cli.terminal import say

PLUGIN = "no_shouting.py"
FILES = ("README.md", "pipeline.yaml", PLUGIN, "data/sample.jsonl", ".gitignore")


@click.command(epilog="Example: corpusmill init my-corpus")
@click.argument("folder", default=".", required=False)
def init(folder: str) -> None:
    """Make a starter project in FOLDER (this one if not given): a pipeline, sample data, a plugin file, a schema.

    The pipeline runs as it is. Nothing is overwritten.
    """
    target = Path(folder)
    texts = project_files(target.resolve().name)
    write_new(target, texts)
    say(f"wrote {', '.join(texts)}")
    say()
    if target.resolve() != Path.cwd():
        say(f"  cd {folder}")
    say("  corpusmill run pipeline.yaml")


def project_files(folder: str) -> dict[str, str]:
    """Return the files of a project in a folder of this name: relative name -> text, the schema last."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-") or "corpus"
    texts = {file: template(f"project/{file}", NAME=name) for file in FILES}
    return {**texts, SCHEMA_FILE: _schema(texts[PLUGIN])}


def _schema(plugin: str) -> str:
    """The schema with the project's own filter in it."""
    from hashlib import sha256

    from corpusmill.plugin.finder import LocalPlugin, load_registry

    source = plugin.encode()
    return schema_text(load_registry([LocalPlugin(f"./{PLUGIN}", sha256(source).hexdigest()[:24], source)]))
