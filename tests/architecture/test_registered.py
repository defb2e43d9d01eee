"""Every name the built-ins register leads to a class of the right kind; laziness hides no typo."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import distribution, requires
from typing import Any

import pytest
from packaging.requirements import Requirement

from corpusmill.plugin.registry import Registered, Registry


def registered() -> list[Registered]:
    registry = Registry()
    for point in sorted(distribution("corpusmill").entry_points.select(group="corpusmill")):
        registry.owner = point.name
        point.load().corpusmill_register(registry)
    return list(registry.operators.values())


def resolve(entry: Registered) -> Any:
    module, _, name = entry.target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        if entry.extra is None or (missing.name or "").startswith("corpusmill"):
            raise
        pytest.skip(f"{entry.uses} needs the extra {entry.extra!r}: {missing.name} is not installed")


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: entry.uses)
def test_target_is_an_operator_of_its_kind(entry: Registered) -> None:
    """The class exists, is of the kind its prefix says, and says in a sentence what it does."""
    operator = resolve(entry)
    assert operator.kind == entry.uses.partition(".")[0]
    assert operator.__doc__
    assert entry.summary.endswith(".")


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: entry.uses)
def test_every_option_is_documented(entry: Registered) -> None:
    """Each option has a help text; a number with a range or a unit says so in the field itself."""
    fields = resolve(entry).Options.model_fields
    assert [name for name, field in fields.items() if not field.description] == []


def test_extras_exist() -> None:
    """An operator that names an extra names one that can be installed."""
    known = {
        str(part).split("==")[-1].strip(" '\"")
        for line in requires("corpusmill") or []
        if (marker := Requirement(line).marker) is not None
        for part in str(marker).split(" and ")
        if "extra" in part
    }
    assert {entry.extra for entry in registered() if entry.extra} <= known
