"""The reference of the spec language: the keys that the reader takes, with the defaults that are in force."""

from __future__ import annotations

import pytest

from corpusmill.spec import building, language, params
from corpusmill.spec.model import Limits, Spec, Step


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        (language.TOP, building.TOP_KEYS),
        (language.STEP, building.STEP_KEYS),
        (language.LIMITS, building.LIMIT_KEYS),
        (language.RUN, building.RUN_KEYS),
        (language.RESOURCES, building.RESOURCE_KEYS),
        (language.SEARCH, building.SEARCH_KEYS),
        (language.PARAM, params._KEYS),
    ],
    ids=["top", "step", "limits", "run", "resources", "search", "param"],
)
def test_the_reference_has_exactly_the_keys_that_are_read(
    keys: tuple[language.Key, ...], known: tuple[str, ...]
) -> None:
    """In the reader's order, none left out, none made up."""
    assert tuple(key.name for key in keys) == known


def test_defaults_are_those_of_the_typed_spec() -> None:
    """What the reference says is what a spec without the key gets."""
    told = {key.name: key.default for key in (*language.TOP, *language.STEP)}
    step, spec = Step("a", "b.c"), Spec("x")
    assert told["seed"] == spec.seed
    assert (told["column"], told["keep"]) == (step.column, step.keep)
    assert {key.name: key.default for key in language.LIMITS} == vars(Limits())
