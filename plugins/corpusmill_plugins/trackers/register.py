"""Names of the built-in trackers."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl

HERE = "corpusmill_plugins.trackers"


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.tracker(
        "mlflow", f"{HERE}.mlflow:Mlflow", "Record runs, metrics and counts in an MLflow store.", extra="trackers"
    )
    registry.tracker(
        "tensorboard", f"{HERE}.tensorboard:TensorBoard", "Write metrics as TensorBoard event files.", extra="trackers"
    )
