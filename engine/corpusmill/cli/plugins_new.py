"""`corpusmill plugins new`: a plugin of one's own to begin from, with its test and what makes it installable."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import click

from corpusmill.cli.scaffold import template, write_new
from corpusmill.cli.terminal import say
from corpusmill.errors import UsageError, nearest
from corpusmill.plugin.registry import KINDS, Registry

TEMPLATES = (
    "read",
    "clean",
    "filter",
    "annotate",
    "augment",
    "split",
    "dedup",
    "tokenizer",
    "tokens",
    "train",
    "evaluate",
    "write",
)
"""Kinds with a template. `load` takes what others made, and `mix` and `predict` have no example to begin from."""

_MORE_DEPENDENCIES = {"train": ["safetensors>=0.5"]}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.command(epilog="Example: corpusmill plugins new filter my-rule")
@click.argument("kind")
@click.argument("name")
@click.argument("folder", required=False)
@click.pass_obj
def new(registry: Registry, kind: str, name: str, folder: str | None) -> None:
    """Make a plugin with one operator KIND.NAME in FOLDER (NAME if not given): a module that works, to be changed.

    Beside it lie a test with the contract kit and a pyproject.toml that makes it installable. Nothing is overwritten.

    KIND is read, clean, filter, annotate, augment, split, dedup, tokenizer, tokens, train, evaluate or write.
    """
    kind = _kind(kind)
    module = _module(name)
    taken = registry.operators.get(f"{kind}.{name}")
    if taken is not None:
        raise UsageError(f"{taken.uses!r} is taken by {taken.owner}", expected="a name that no plugin has")
    target = Path(folder or name)
    write_new(target, plugin_files(kind, name))
    say(f"wrote {target}/: {module}.py, test_{module}.py, pyproject.toml")
    say()
    say(f"  corpusmill plugins check {target}/{module}.py   # hold it against the contract of its kind")
    say(f"  pip install -e {target}                         # then any spec may say: uses: {kind}.{name}")
    say(f"  pytest {target}")


def plugin_files(kind: str, name: str) -> dict[str, str]:
    """Return the files of a new plugin: name -> text."""
    module = _module(name)
    camel = "".join(part.capitalize() for part in name.split("-"))
    words = {"NAME": name, "MODULE": module, "CLASS": camel, "KIND": kind}
    dependencies = ", ".join(f'"{one}"' for one in ["corpusmill>=0.1", *_MORE_DEPENDENCIES.get(kind, [])])
    summary = f"A {KINDS[kind]} for corpusmill."
    return {
        f"{module}.py": template(f"plugin/{kind}.py", **words),
        f"test_{module}.py": template(f"plugin/test_{kind}.py", **words),
        "pyproject.toml": template("plugin/pyproject.toml", **words, DEPENDENCIES=dependencies, SUMMARY=summary),
    }


def _kind(kind: str) -> str:
    """Return the prefix of a kind that has a template; `cleaner` means `clean`."""
    prefix = next((prefix for prefix, verb in KINDS.items() if kind in (prefix, verb)), kind)
    if prefix in TEMPLATES:
        return prefix
    near = nearest(kind, [*TEMPLATES, *(KINDS[one] for one in TEMPLATES)])
    hint = f"corpusmill plugins new {near} NAME" if near else None
    raise UsageError(f"no template for kind {kind!r}", expected=f"one of {', '.join(TEMPLATES)}", hint=hint)


def _module(name: str) -> str:
    """Return the module's name; raises UsageError for what cannot be an operator's name or would hide a module."""
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        raise UsageError(f"name is {name!r}", expected="lower-case letters, digits and '-', a letter first: my-rule")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module == "corpusmill":
        raise UsageError(f"{name!r} would hide Python's own {module!r}", expected="another name, such as my-rule")
    return module
