"""From checked steps to stages: chains of row-wise steps become passes, the rest stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from corpusmill.plan.checked import CheckedSpec, CheckedStep
from corpusmill.plan.stages import ROW_KINDS, STAGE_KINDS, Stage, takes_ids


def build_stages(checked: CheckedSpec, until: str | None = None) -> list[Stage]:
    """Return the stages in running order.

    A pass ends, and a dataset is written, before a global step, where two steps need one output, after an operator
    marked `expensive`, after `keep: true`, and after a reader whose ids come from a column and must be unique.
    """
    steps = list(checked.steps) if until is None else ancestors(checked, until)
    wanted = _wanted(steps)
    removed, turned_away = _named(steps, "removed"), _named(steps, "quarantine")
    stages: list[Stage] = []
    open_pass: list[CheckedStep] = []

    def close(why: str) -> None:
        if open_pass:
            named = tuple(step.id for step in open_pass if step.id in removed)
            stages.append(Stage("pass", tuple(open_pass), why, named, open_pass[0].id in turned_away))
            open_pass.clear()

    for step in steps:
        if step.kind == "read":
            close(_end_reason(open_pass, wanted, step))
            open_pass.append(step)
        elif step.kind in ROW_KINDS:
            if not (open_pass and _continues(open_pass[-1], step, wanted)):
                close(_end_reason(open_pass, wanted, step))
            open_pass.append(step)
        else:
            close(_end_reason(open_pass, wanted, step))
            stages.append(Stage(STAGE_KINDS.get(step.kind, "global"), (step,), f"{step.kind} is a stage of its own"))
    close("the last step")
    return stages


def ancestors(checked: CheckedSpec, step_id: str) -> list[CheckedStep]:
    """Return a step and all it needs, in order."""
    needed = {step_id}
    for step in reversed(checked.steps):
        if step.id in needed:
            needed |= {ref.step for refs in step.inputs.values() for ref in refs if ref.local and ref.step}
    return [step for step in checked.steps if step.id in needed]


def _named(steps: Sequence[CheckedStep], output: str) -> set[str | None]:
    """Return the steps whose output of this name some step needs."""
    return {ref.step for step in steps for refs in step.inputs.values() for ref in refs if ref.output == output}


def _wanted(steps: Sequence[CheckedStep]) -> Counter[str]:
    """Count the references to each step's default output."""
    return Counter(
        ref.step
        for step in steps
        for refs in step.inputs.values()
        for ref in refs
        if ref.local and ref.step is not None and ref.output is None
    )


def _continues(last: CheckedStep, step: CheckedStep, wanted: Counter[str]) -> bool:
    """True if `step` can run in the same pass right after `last`."""
    refs = step.inputs.get("documents", ())
    one = len(refs) == 1 and refs[0].local and refs[0].step == last.id
    plain = one and refs[0].output is None and refs[0].split is None and refs[0].role is None
    return plain and wanted[last.id] == 1 and not (last.keep or last.operator.expensive or takes_ids(last))


def _end_reason(open_pass: Sequence[CheckedStep], wanted: Counter[str], following: CheckedStep) -> str:
    if not open_pass:
        return ""
    last = open_pass[-1]
    if last.keep:
        return f"{last.id}: keep is true"
    if last.operator.expensive:
        return f"{last.id} is expensive"
    if takes_ids(last):
        return f"{last.id}: ids must be unique over the whole input"
    if wanted[last.id] > 1:
        return f"{wanted[last.id]} steps need {last.id}"
    if following.kind in (*ROW_KINDS, "read"):
        return "a union or another input follows"
    return f"{following.id} needs the whole of it"
