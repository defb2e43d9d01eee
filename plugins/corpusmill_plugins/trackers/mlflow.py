"""track.mlflow: a run of the mill as a run of an MLflow experiment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from corpusmill import Tracker, hookimpl, option
from corpusmill_plugins.trackers.numbers import evaluation_numbers, finite, metric_name, stage_numbers

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that is away must not hold up the run for the minutes that MLflow would try.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_STATUS = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class Mlflow(Tracker):
    """Record runs, metrics and counts in an MLflow store.

    Metrics are called `STEP/METRIC`: what training reports at each of its steps, and once a stage the rows in, out,
    removed and quarantined; evaluations at the end. Tags: the spec's file name, the executor, and the digest of each
    stage. MLflow's own usage statistics are switched off.
    """

    class Options(Tracker.Options):
        """Options of track.mlflow."""

        uri: str = option(help="tracking store: http://HOST:PORT, or sqlite:///FILE")
        experiment: str | None = option(None, help="experiment to record into; the pipeline's name if not given")

    def __init__(self, options: Any):
        super().__init__(options)
        self._client: Any = None
        self._run = ""

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        """Open a run in the experiment, which is made where it is missing."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self.options.uri)
        name = self.options.experiment or run["name"]
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        tags = {"corpusmill.spec": run["spec"] or "", "corpusmill.executor": run["executor"]}
        self._run = self._client.create_run(experiment, run_name=run["timestamp"], tags=tags).info.run_id

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        """Record what a global operator reported."""
        self._record(step, ((metric_name(stage["id"], name), value) for name, value in finite(values)))

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        """Record the counts of a stage and the digest of what it made."""
        self._record(0, stage_numbers(stage))
        if self._run:
            self._client.set_tag(self._run, f"corpusmill.digest.{stage['id']}", stage["digest"])

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Record the evaluations and how the run ended."""
        self._record(0, evaluation_numbers(run["outputs"]))
        if self._run:
            self._client.set_terminated(self._run, _STATUS[run["status"]])

    def _record(self, step: int, numbers: Iterable[tuple[str, float]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in numbers]
        if metrics and self._run:  # without a run its start has been warned of
            self._client.log_batch(self._run, metrics)
