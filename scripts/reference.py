#!/usr/bin/env python3
"""Writes what the sources say about themselves: docs/plugins.md, the tables of docs/spec.md, the pipelines' schema.

python scripts/reference.py           # write (make docs)
python scripts/reference.py --check   # exit 1 and name what is stale, writing nothing
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from corpusmill.cli.operator_page import operator_facts, tracker_facts
from corpusmill.cli.schema import SCHEMA_FILE, schema_text
from corpusmill.plugin.describe import OptionText, describe_option, nested_model, option_fields
from corpusmill.plugin.finder import find, load_registry
from corpusmill.plugin.registry import KINDS, Registered, Registry
from corpusmill.plugin.resolve import base_class, resolve
from corpusmill.spec.language import MAPPINGS, Key

REPOSITORY = Path(__file__).resolve().parents[1]
REGION = re.compile(r"(<!-- generated: ([A-Z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = """# Operators

Every operator that comes with corpusmill, from the sources (`make docs` writes this page). The same page of one
operator, your own plugins included: `corpusmill plugins show KIND.NAME`. How to write one is in the
[README](../README.md#your-own-plugin).

Sizes are written `64 MB` or `2 GiB`, durations `500 ms` or `2 h`; plain numbers are bytes and seconds. An option
without a default is left out unless it is required.
"""


TRACKERS = """## track

Trackers follow a run and are no steps; a spec or a profile turns them on with `run: {track: [...]}`. See
[hooks](hooks.md).
"""


def main(arguments: Sequence[str]) -> int:
    """Write every page, or say which are stale."""
    stale = []
    for path, text in pages():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path.relative_to(REPOSITORY)))
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if not stale:
        return 0
    if "--check" in arguments:
        print(f"stale: {', '.join(stale)}; make docs writes them anew", file=sys.stderr)
        return 1
    print(f"wrote {', '.join(stale)}")
    return 0


def pages() -> Iterator[tuple[Path, str]]:
    """Each generated file with its text."""
    registry = built_in()
    spec = REPOSITORY / "docs" / "spec.md"
    yield REPOSITORY / "pipelines" / SCHEMA_FILE, schema_text(registry)
    yield REPOSITORY / "docs" / "plugins.md", operators_page(registry)
    yield spec, REGION.sub(lambda match: match[1] + key_table(MAPPINGS[match[2]]) + match[3], spec.read_text("utf-8"))


def built_in() -> Registry:
    """The operators of this distribution alone, whatever else is installed here."""
    others = {found.origin.distribution or found.origin.plugin for found in find()} - {"corpusmill"}
    return load_registry(blocked=others)


def operators_page(registry: Registry) -> str:
    """Return docs/plugins.md."""
    by_kind: dict[str, list[Registered]] = {kind: [] for kind in KINDS}
    for uses in sorted(registry.operators):
        by_kind[uses.partition(".")[0]].append(registry.operators[uses])
    listed = [(kind, operators) for kind, operators in by_kind.items() if operators]
    rows = [(link(kind), ", ".join(link(one.uses) for one in own)) for kind, own in listed]
    index = table(("kind", "operators"), rows)
    kinds = [kind_section(kind, operators) for kind, operators in listed]
    return "\n".join([HEAD, index, *kinds, TRACKERS, *map(tracker_section, registry.trackers.values())])


def kind_section(kind: str, operators: list[Registered]) -> str:
    """Return the section of one kind: what it does, then its operators."""
    told = (base_class(kind).__doc__ or "").partition("\n")[0]
    return "\n".join([f"## {kind}\n\n{told}\n", *(operator_section(one) for one in operators)])


def operator_section(registered: Registered) -> str:
    """Return the section of one operator: what it does, takes, makes, reads, adds, and its options."""
    facts = operator_facts(registered)
    extra = f"\nNeeds the extra `{registered.extra}`: `pip install 'corpusmill[{registered.extra}]'`.\n"
    options = table(("option", "type", "unit", "range", "default", "what it does"), option_rows(registered))
    return (
        f"### {registered.uses}\n\n{facts['doc']}\n{extra if registered.extra else ''}\n"
        f"{table(('', ''), facts_rows(facts))}\n{options if facts['options'] else 'No options.' + chr(10)}"
        f"\nFor example `- {facts['example']}`.\n"
    )


def tracker_section(registered: Registered) -> str:
    """Return the section of one tracker: what it records, and its options."""
    facts = tracker_facts(registered)
    options = table(("option", "type", "unit", "range", "default", "what it does"), option_rows(registered))
    extra = f"Needs the extra `{registered.extra}`: `pip install 'corpusmill[{registered.extra}]'`."
    return f"### {facts['uses']}\n\n{facts['doc']}\n\n{extra}\n\n{options}\nFor example `{facts['example']}`.\n"


def facts_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Inputs, outputs and columns, each where there is something to say."""
    takes = ", ".join(f"`{name}` ({told})" if told != name else f"`{name}`" for name, told in facts["inputs"].items())
    named = ", ".join(f"`{name}` ({kind})" if kind != name else f"`{name}`" for name, kind in facts["outputs"].items())
    yield "takes", takes or "nothing"
    yield "makes", facts["output"] + (f"; by name {named}" if named else "")
    if facts["reads"]:
        yield "reads", ", ".join(f"`{name}`" for name in facts["reads"])
    if facts["adds"]:
        yield "adds", ", ".join(f"`{name}` ({kind})" for name, kind in facts["adds"].items())
    if facts["resources"]:
        yield "resources", ", ".join(f"{name}: {value}" for name, value in facts["resources"].items())


def option_rows(registered: Registered) -> Iterator[tuple[str, ...]]:
    """One row an option; those of options that are mappings follow with their path."""
    yield from model_rows(resolve(registered).Options, "", ())


def model_rows(model: type[BaseModel], prefix: str, around: tuple[type[BaseModel], ...]) -> Iterator[tuple[str, ...]]:
    """The options of one model and of the models inside it; one that holds itself is told once."""
    for name, field in option_fields(model):
        told = describe_option(name, field)
        inner = nested_model(field.annotation)
        yield option_row(prefix + name, told, is_mapping=inner is not None)
        if inner is not None and not any(issubclass(one, inner) for one in (*around, model)):
            yield from model_rows(inner, f"{prefix}{name}.", (*around, model))


def option_row(name: str, told: OptionText, *, is_mapping: bool) -> tuple[str, ...]:
    """Name, type, unit, range, default, help."""
    kind = told.type if told.default is not None else told.type.removesuffix(" or nothing")
    default = "" if is_mapping and not told.required else told.standing.removeprefix("default ")
    shown = f"`{default}`" if told.standing.startswith("default ") and default else default.replace("optional", "")
    return f"`{name}`", kind, told.unit or "", told.range, shown, told.sentence


def key_table(keys: Sequence[Key]) -> str:
    """Return the table of the keys of one mapping of the spec."""
    return table(("key", "type", "default", "what it says"), [key_row(key) for key in keys])


def key_row(key: Key) -> tuple[str, ...]:
    """Name, type with range, default, help."""
    kind = " or ".join(f"`{choice}`" for choice in key.choices) or key.type
    signs = (("≥", key.least), ("≤", key.most))
    bounds = ", ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None and abs(bound) < 2**63)
    default = "" if key.default is None else f"`{str(key.default).lower()}`"
    told = f"{key.help[:1].upper()}{key.help[1:]}."
    return f"`{key.name}`", f"{kind} {bounds}".strip(), "required" if key.required else default, told


def table(head: Sequence[str], rows: Any) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def link(title: str) -> str:
    """Return a link to a heading of the page, by the anchor that GitHub gives it."""
    return f"[{title}](#{re.sub(r'[^a-z0-9-]', '', title)})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
