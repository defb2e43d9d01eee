"""The twin: another hash seed, an answer to everything, and an end to what hangs."""

from __future__ import annotations

from typing import Any

import pytest

import corpusmill as mill
from corpusmill.testing.bench import Bench
from corpusmill.testing.samples import shared_samples
from corpusmill.testing.trials import try_once
from corpusmill.testing.twin import Twin, ask, parts, shared_twin


class Endless(mill.Filter):
    """Never comes back from a text of one letter."""

    def measure_text(self, text: str) -> dict[str, float]:
        while text == "m":
            pass
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 1)]


class Hashing(mill.Filter):
    """Depends on the process's hash seed."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"hash": float(hash(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("hash", 0)]


@pytest.fixture
def bench() -> Any:
    """Make a bench for a class."""
    return lambda operator: Bench(f"filter.{operator.__name__}", operator, operator.Options(), shared_samples())


def test_the_twin_agrees_on_what_does_not_depend_on_the_process(bench: Any) -> None:
    """The same parts with the same fingerprints."""
    one = bench(Endless)
    answer = ask(one)
    assert answer is not None
    assert answer["parts"] == parts(one.made())


def test_the_twin_hashes_otherwise(bench: Any) -> None:
    """What depends on Python's hash seed comes out otherwise there."""
    one = bench(Hashing)
    one.texts = ["a text", "another"]
    answer = ask(one)
    assert answer is not None
    assert answer["parts"] != parts(try_once(one, one.one))


def test_a_hang_ends_and_the_next_question_is_answered(bench: Any) -> None:
    """The process is ended when no answer comes in time, and another takes its place."""
    assert ask(bench(Endless), ["n"]) is not None
    assert ask(bench(Endless), ["m"], seconds=5) is None
    assert ask(bench(Endless), ["n"]) is not None


def test_a_twin_that_was_stopped_starts_again() -> None:
    """Stopping twice does no harm."""
    twin = Twin()
    twin.stop()
    twin.stop()
    assert shared_twin() is shared_twin()
