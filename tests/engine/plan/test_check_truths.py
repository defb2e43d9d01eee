"""true and false are no numbers: pydantic would read 1 and 0."""

from __future__ import annotations

import pytest

from corpusmill import Filter, option
from corpusmill.plan.options import check_options
from corpusmill.spec.model import Step
from corpusmill.spec.problems import Problems


class Toy(Filter):
    class Options(Filter.Options):
        count: int | None = option(None, help="a number")
        shares: dict[str, float] = option(default_factory=dict, help="numbers by name")
        several: list[int] = option(default_factory=list, help="numbers")
        either: bool | int = option(0, help="both")


@pytest.mark.parametrize("options", [{"count": True}, {"shares": {"a": 0.5, "b": False}}, {"several": [1, True]}])
def test_a_truth_value_where_a_number_belongs_is_a_problem(options: dict[str, object]) -> None:
    """At the top, in a mapping and in a list."""
    problems = Problems()
    assert check_options(Step("one", "filter.toy", options), Toy, problems) is None
    (problem,) = problems.found
    assert "True" in problem.what or "False" in problem.what


def test_a_truth_value_where_one_belongs_is_none() -> None:
    """A type that takes both keeps what was given."""
    problems = Problems()
    checked = check_options(Step("one", "filter.toy", {"either": True, "count": 1, "several": [0]}), Toy, problems)
    assert checked is not None
    assert checked.either is True  # type: ignore[attr-defined]
    assert not problems.found
