"""Order of steps: file order, but none before what it needs; loops are shown."""

from __future__ import annotations

from collections.abc import Sequence

from corpusmill.plan.facts import Facts
from corpusmill.spec.model import Ref
from corpusmill.spec.problems import Problems


def ordered(steps: Sequence[Facts], problems: Problems) -> list[Facts]:
    """Return the steps so that each comes after those it needs; steps of a loop are recorded and left out."""
    waiting = list(steps)
    done: set[str] = set()
    known = {facts.id for facts in steps}
    result: list[Facts] = []
    while waiting:
        ready = next((facts for facts in waiting if sources(facts, known) <= done), None)
        if ready is None:
            _record_loops(waiting, problems)
            return result
        waiting.remove(ready)
        done.add(ready.id)
        result.append(ready)
    return result


def sources(facts: Facts, known: set[str]) -> set[str]:
    """Ids of the steps of this spec that a step needs."""
    return {ref.step for ref in references(facts) if ref.step in known}


def references(facts: Facts) -> list[Ref]:
    """All local references of a step."""
    return [ref for refs in facts.inputs.values() for ref in refs if ref.local]


def ancestors(steps: Sequence[Facts], step_id: str) -> set[str]:
    """A step's id and the ids of all it depends on."""
    by_id = {facts.id: facts for facts in steps}
    found: set[str] = set()
    waiting = [step_id]
    while waiting:
        one = waiting.pop()
        if one not in found and one in by_id:
            found.add(one)
            waiting += sources(by_id[one], set(by_id))
    return found


def _record_loops(waiting: list[Facts], problems: Problems) -> None:
    """Show each loop once; steps that only wait for one are not to blame."""
    by_id = {facts.id: facts for facts in waiting}
    shown: set[str] = set()
    for facts in waiting:
        loop = _loop(facts, by_id)
        if loop and not shown & set(loop):
            shown |= set(loop)
            ref = next(ref for ref in references(facts) if ref.step == loop[1])
            what = "steps wait for each other: " + " -> ".join(loop)
            expected = "no loop: a step cannot need what is made from it"
            hint = "take one of these references out of `needs`"
            problems.add(what, ref.mark, step=facts.id, expected=expected, hint=hint)


def _loop(start: Facts, by_id: dict[str, Facts]) -> list[str]:
    """The shortest path from a step back to itself along what it needs, or nothing."""
    paths = [[start.id]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        for step_id in sorted(sources(by_id[path[-1]], set(by_id))):
            if step_id == start.id:
                return [*path, step_id]
            if step_id not in seen:
                seen.add(step_id)
                paths.append([*path, step_id])
    return []
