"""Crash points against real servers of objects on loopback, spoken to over HTTP: S3, and among the long tests Azure."""

from __future__ import annotations

import pytest
from crash_points import OBJECT_FAULTS, Medium, Recording, faults, record, resume, survive
from crash_scenario import Scenario, attempts_repeated

SAMPLE = 5


@pytest.fixture(scope="module", params=["s3", pytest.param("az", marks=pytest.mark.soak)])
def medium(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Medium:
    """The scenario on a bucket of the server."""
    bucket = f"{request.param}://{request.getfixturevalue(request.param)}"
    return Medium(request.param, Scenario(tmp_path_factory.mktemp("crash")), bucket)


@pytest.fixture(scope="module")
def recording(medium: Medium) -> Recording:
    """What a run without a fault asks of the server."""
    return record(medium)


def test_every_kind_of_request_is_met(medium: Medium, recording: Recording) -> None:
    """No kind of request is left out."""
    assert set(medium.kinds) <= {point.kind for point in recording.points}


def test_a_crash_at_some_points(medium: Medium, recording: Recording) -> None:
    """What a killed run had put into the bucket names nothing that is not whole, and a rerun ends with the same."""
    cases = [case for case in recording.cases if case.points[0][0].kind in ("put", "put_new", "delete")]
    chosen = cases[:: max(1, len(cases) // SAMPLE)]
    problems = [one for case in chosen for one in resume(medium, recording, case)]
    assert not problems, "\n".join(problems)


@pytest.mark.soak
def test_a_crash_at_every_point(medium: Medium, recording: Recording) -> None:
    """The same at all points there are."""
    problems = [one for case in recording.cases for one in resume(medium, recording, case)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("how", OBJECT_FAULTS)
def test_a_request_may_go_wrong(medium: Medium, recording: Recording, how: str) -> None:
    """A request that is refused, whose answer is lost, or that arrives twice, at a conditional put."""
    problems = survive(medium, recording, ("judge", "put_new", 2, how))
    assert not problems, "\n".join(problems)


@pytest.mark.soak
def test_any_request_may_go_wrong(medium: Medium, recording: Recording) -> None:
    """The same for each kind of request in each stage."""
    problems = [one for fault in faults(medium) for one in survive(medium, recording, fault)]
    assert not problems, "\n".join(problems)


def test_work_that_is_done_twice_is_done_once(medium: Medium, recording: Recording) -> None:
    """Each unit attempted twice publishes what one attempt does."""
    uri = medium.fresh()
    with attempts_repeated():
        medium.scenario.run(uri)
    assert medium.scenario.published(uri) == recording.published
