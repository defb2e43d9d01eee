"""The `search` block: that what it varies exists, and that its objective is not on test data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusmill.errors import nearest
from corpusmill.plan.facts import Facts
from corpusmill.spec.model import Spec
from corpusmill.spec.problems import Mark, Problems

METHODS = ("grid", "random", "tpe")


def check_search(spec: Spec, by_id: Mapping[str, Facts], problems: Problems) -> None:
    """Record what is wrong with a spec's search."""
    if spec.search is None:
        return
    method = spec.search.get("method")
    if method not in METHODS:
        near = nearest(str(method), METHODS)
        problems.add(
            f"search method is {method!r}", _mark(spec, "method"), expected=f"one of {', '.join(METHODS)}", near=near
        )
    vary = spec.search.get("vary")
    if not isinstance(vary, dict) or not vary:
        problems.add("search varies nothing", _mark(spec, "vary"), expected="vary: {STEP.OPTION: [VALUE, …]}")
    else:
        for path in vary:
            _check_path(spec, str(path), by_id, problems)
    _check_objective(spec, by_id, problems)


def _check_path(spec: Spec, path: str, by_id: Mapping[str, Facts], problems: Problems) -> None:
    step_id, _, rest = path.partition(".")
    mark = _mark(spec, "vary", path)
    if step_id not in by_id:
        problems.unknown("step", step_id, by_id, mark)
        return
    operator = by_id[step_id].operator
    option = rest.partition(".")[0]
    if operator is not None and option not in operator.Options.model_fields:
        known = sorted(operator.Options.model_fields)
        what = f"unknown option {option!r} of {by_id[step_id].step.uses}"
        problems.add(what, mark, expected=f"one of {', '.join(known)}", near=nearest(option, known))


def _check_objective(spec: Spec, by_id: Mapping[str, Facts], problems: Problems) -> None:
    assert spec.search is not None
    objective: Any = spec.search.get("objective")
    mark = _mark(spec, "objective")
    if not isinstance(objective, dict) or len(objective) != 1 or not {"max", "min"} & set(objective):
        problems.add("search has no objective", mark, expected="objective: {max: STEP.METRIC} or {min: STEP.METRIC}")
        return
    ((side, target),) = objective.items()
    mark = _mark(spec, "objective", side)
    facts = by_id.get(str(target).partition(".")[0])
    if facts is None:
        problems.unknown("step", str(target).partition(".")[0], by_id, mark)
        return
    if facts.operator is not None and facts.operator.output != "metrics":
        problems.add(f"step {facts.id!r} makes {facts.operator.output}", mark, expected="a step that makes metrics")
    if any(ref.split == "test" for refs in facts.inputs.values() for ref in refs):
        problems.add(
            "the objective is measured on the split 'test'", mark, expected="validation data: test is for the end"
        )


def _mark(spec: Spec, *path: str) -> Mark:
    for length in range(len(path), -1, -1):
        if path[:length] in spec.search_marks:
            return spec.search_marks[path[:length]]
    return Mark(path=("search", *path))
