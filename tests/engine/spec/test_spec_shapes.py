"""A list or a mapping where a value belongs is a problem, never the same as nothing."""

from __future__ import annotations

from typing import Any

import pytest

from corpusmill.spec.loading import load

SPEC: dict[str, Any] = {"corpusmill": 1, "name": "x", "steps": [{"uses": "clean.unicode"}]}


@pytest.mark.parametrize(
    "more",
    [
        {"params": ["a"]},
        {"params": []},
        {"params": {"a": {"default": [1]}}},
        {"params": {"a": {"default": {"b": 1}}}},
        {"params": {"a": {"default": "b", "help": 3}}},
        {"limits": {"deadline": [1]}},
        {"limits": {"deadline": {}}},
    ],
    ids=str,
)
def test_a_shape_that_does_not_belong_is_a_problem(more: dict[str, Any]) -> None:
    """`deadline: [1]` must not switch the deadline off, nor `params: [a]` declare nothing."""
    assert load({**SPEC, **more})[1]


@pytest.mark.parametrize("more", [{"params": None}, {"params": {"a": None}}, {"limits": {"deadline": None}}], ids=str)
def test_nothing_is_nothing(more: dict[str, Any]) -> None:
    """An empty value is allowed where it means something."""
    assert not load({**SPEC, **more})[1]
