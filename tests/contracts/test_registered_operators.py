"""Every registered operator keeps every contract of its kind; a new one is covered without a line here."""

from __future__ import annotations

import pytest

from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.registry import Registered
from corpusmill.plugin.resolve import missing_distributions
from corpusmill.testing import check_operator


@pytest.mark.parametrize("entry", load_registry().operators.values(), ids=lambda entry: entry.uses)
def test_all_claims_hold(entry: Registered) -> None:
    """The contract kit finds nothing wrong."""
    missing = missing_distributions(entry)
    if missing:
        pytest.skip(f"{entry.uses} needs the extra {entry.extra!r}; not installed: {', '.join(missing)}")
    report = check_operator(entry)
    assert report.ok, f"\n{report}"
    assert report.count("passed") > 10
