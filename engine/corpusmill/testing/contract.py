"""The kit as a class of tests: subclass it in a test file, and every claim is a test of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from corpusmill.testing.checking import check_operator, claims_for
from corpusmill.testing.findings import FAILED, SKIPPED, Report


class OperatorContract:
    """All claims about one operator, a test each.

    In a test file: `class TestNoEmoji(OperatorContract): operator = NoEmoji`, and where its defaults will not do,
    `options = {"max_share": 0.2}`. `operator` may also be a name: `"filter.no-emoji"`. The claims are run once, when
    the first test asks.
    """

    operator: ClassVar[Any] = None
    options: ClassVar[Mapping[str, Any]] = {}
    _report: ClassVar[Report | None] = None

    @classmethod
    def report(cls) -> Report:
        """Return the findings, made at the first call."""
        if "_report" not in vars(cls) or cls._report is None:
            cls._report = check_operator(cls.operator, options=cls.options)
        return cls._report

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make one test of each claim about the operator's kind."""
        if "claim" in metafunc.fixturenames:
            kind = self.operator.partition(".")[0] if isinstance(self.operator, str) else self.operator.kind
            metafunc.parametrize("claim", [claim.id for claim in claims_for(kind)])

    def test_claim(self, claim: str) -> None:
        """The operator holds what the claim says."""
        found = [one for one in self.report().findings if one.claim == claim]
        if not found or found[0].verdict == SKIPPED:
            import pytest

            pytest.skip(found[0].seen if found else "see options")
        if found[0].verdict == FAILED:
            raise AssertionError(str(found[0]))
