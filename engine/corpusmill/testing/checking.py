"""The run of all claims over an operator: each once, in order, none twice for one fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.registry import Registered
from corpusmill.plugin.resolve import resolve
from corpusmill.testing import declared, duplicates, honest, hostile, manners, reading, stable, working, writing
from corpusmill.testing.attempt import Raised, attempt, display_path, place_of
from corpusmill.testing.bench import Bench, Unusable
from corpusmill.testing.claims import Claim
from corpusmill.testing.findings import FAILED, PASSED, SKIPPED, Broken, Fault, Finding, NotApplicable, Report
from corpusmill.testing.samples import Samples, shared_samples
from corpusmill.testing.settling import settle
from corpusmill.testing.twin import SECONDS, survives
from corpusmill.testing.watch import Watch

CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for room in (hostile, declared, honest, duplicates, reading, writing, working, stable, manners)
    for claim in room.CLAIMS
)
"""All claims; one that others stand on comes before them (`_in_order`)."""


def claims_for(kind: str) -> list[Claim]:
    """Return the claims about one kind, those that others stand on first."""
    left = [claim for claim in CLAIMS if kind in claim.kinds]
    ordered: list[Claim] = []
    while left:
        done = {claim.id for claim in ordered}
        waiting = {claim.id for claim in left}
        ready = [claim for claim in left if not (set(claim.after) & waiting) - done]
        ordered.append(ready[0])
        left.remove(ready[0])
    return ordered


def check_operator(
    operator: type[Any] | str | Registered,
    *,
    options: Mapping[str, Any] | None = None,
    claims: tuple[str, ...] | None = None,
    samples: Samples | None = None,
) -> Report:
    """Hold an operator against every claim of its kind (or those named in `claims`) and return what was found.

    `operator`: a class, or a name such as `filter.length`. `options`: values of its options, as in a spec; what is
    neither given nor has a default is guessed where that is possible. Raises PluginError for a name that is not
    known or cannot be loaded, and UsageError for options that are not valid. An operator whose models transformers
    does not load brings one: `sample_model(folder)`, a class method.
    """
    uses, found = _resolved(operator)
    where = (samples or shared_samples()).of(found)
    if not _has_options(found):
        return Report(uses, (_no_options(uses, found),), {})
    bench = Bench(uses, found, settle(found, options or {}, where), where)
    bench.note_samples()
    if not survives(bench):
        return Report(uses, (_gone(bench),), bench.options.model_dump(mode="json"))
    findings: dict[str, Finding] = {}
    with Watch(patience=0):  # whatever it does to the process ends here
        for claim in claims_for(bench.kind):
            findings[claim.id] = check_claim(bench, claim, findings)
    wanted = [_placed(one) for one in findings.values() if claims is None or one.claim in claims]
    return Report(uses, tuple(wanted), bench.options.model_dump(mode="json"))


def check_claim(bench: Bench, claim: Claim, before: Mapping[str, Finding]) -> Finding:
    """Hold an operator against one claim; `before` are the findings so far."""
    problem = bench.first.problem
    own = isinstance(problem, Broken) and problem.claim == claim.id
    for other in () if own else claim.after:
        if other in before and before[other].verdict != PASSED:
            reason = before[other].seen if before[other].verdict == SKIPPED else f"see {other}"
            return Finding(bench.uses, claim.id, SKIPPED, claim.says, reason)
    try:
        found = attempt(bench.operator, lambda: claim.check(bench))
    except Broken as broken:
        if broken.claim != claim.id:
            return Finding(bench.uses, claim.id, SKIPPED, claim.says, f"see {broken.claim}")
        found = bench.fault(*bench.smallest_breaking(broken))
    except NotApplicable as reason:
        return Finding(bench.uses, claim.id, SKIPPED, claim.says, str(reason))
    if isinstance(found, Raised):
        if isinstance(found.error, Unusable):
            return Finding(bench.uses, claim.id, SKIPPED, claim.says, "see runs")
        found = Fault(f"it raised {found.words}", where=found.where)
    if found is None:
        return Finding(bench.uses, claim.id, PASSED, claim.says)
    return Finding(bench.uses, claim.id, FAILED, claim.says, found.seen, found.input, found.where, claim.next)


def _gone(bench: Bench) -> Finding:
    claim = next(one for one in CLAIMS if one.id == "runs")
    seen = f"on ordinary input it took its process down, or was not done within {SECONDS:g} s"
    return _placed(Finding(bench.uses, claim.id, FAILED, claim.says, seen, None, place_of(bench.operator), claim.next))


def _placed(finding: Finding) -> Finding:
    """Return a finding whose place is relative to the current folder."""
    return replace(finding, where=display_path(finding.where)) if finding.where else finding


def _resolved(operator: type[Any] | str | Registered) -> tuple[str, type[Any]]:
    if isinstance(operator, str):
        operator = load_registry().lookup(operator)
    if isinstance(operator, Registered):
        return operator.uses, resolve(operator)
    return f"{operator.kind or 'operator'}.{operator.__name__}", operator


def _has_options(operator: type[Any]) -> bool:
    from pydantic import BaseModel

    return isinstance(operator.Options, type) and issubclass(operator.Options, BaseModel)


def _no_options(uses: str, operator: type[Any]) -> Finding:
    claim = next(one for one in CLAIMS if one.id == "options")
    seen = f"its Options is {operator.Options!r}, no pydantic model"
    return Finding(uses, claim.id, FAILED, claim.says, seen, None, place_of(operator), claim.next)


def check_or_raise(operator: type[Any] | str, **named: Any) -> None:
    """Check an operator and raise AssertionError with all that failed: the kit in one line of a test."""
    report = check_operator(operator, **named)
    if not report.ok:
        raise AssertionError(f"\n{report}")
