"""The shipped cluster profile: it checks, and it changes nothing of what a run makes."""

from __future__ import annotations

from pathlib import Path

from corpusmill.plan.check import check


def test_cluster_profile_says_where_and_nothing_else(repository: Path) -> None:
    """With cluster/profile.yaml the quickstart asks for a running Ray cluster; its steps stay as they are."""
    spec = repository / "pipelines" / "quickstart.yaml"
    here = check(spec, deep=False)
    there = check(spec, profile=repository / "cluster" / "profile.yaml", deep=False)
    assert (there.spec.run.executor, there.spec.run.address) == ("ray", "auto")
    assert [step.options for step in there.steps] == [step.options for step in here.steps]
