"""Every name the built-ins register leads to a class of the right kind; laziness hides no typo."""

from __future__ import annotations

from importlib.metadata import metadata

import pytest

from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.registry import Registered
from corpusmill.plugin.resolve import missing_distributions, resolve

BUILT_IN = "corpusmill"


def registered() -> list[Registered]:
    return [entry for entry in load_registry().operators.values() if entry.origin.distribution == BUILT_IN]


def resolved(entry: Registered) -> type[Operator]:
    missing = missing_distributions(entry)
    if missing:
        pytest.skip(f"{entry.uses} needs the extra {entry.extra!r}; not installed: {', '.join(missing)}")
    return resolve(entry)


def test_every_family_registers() -> None:
    """No built-in plugin is broken."""
    broken = [one for one in load_registry().broken if one.origin.distribution == BUILT_IN]
    assert not broken


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: entry.uses)
def test_target_is_an_operator_of_its_kind(entry: Registered) -> None:
    """The class exists, is of the kind its prefix says, and a sentence says what it does."""
    operator = resolved(entry)
    assert operator.kind == entry.uses.partition(".")[0]
    assert operator.__doc__
    assert entry.summary.endswith(".")


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: entry.uses)
def test_every_option_is_documented(entry: Registered) -> None:
    """Each option has a help text, from which the reference is made."""
    fields = resolved(entry).Options.model_fields
    assert [name for name, field in fields.items() if not field.description] == []


def test_extras_exist() -> None:
    """An operator that names an extra names one that can be installed."""
    known = metadata(BUILT_IN).get_all("Provides-Extra") or []
    assert {entry.extra for entry in registered() if entry.extra} <= set(known)
