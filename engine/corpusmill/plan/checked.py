"""What a checked spec is: steps with their operators, options, bindings and schemas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from corpusmill.spec.model import Limits, Ref, Spec
from corpusmill.spec.problems import Mark

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusmill.plugin.finder import LocalPlugin
    from corpusmill.plugin.operator import Operator
    from corpusmill.plugin.option import Options
    from corpusmill.plugin.registry import Registered, Registry
    from corpusmill.plugin.tracker import Tracker


@dataclass(frozen=True)
class CheckedStep:
    """One step with everything resolved that can be known before a byte is read."""

    id: str
    uses: str
    registered: Registered
    operator: type[Operator]
    options: Options
    """A validated instance of `operator.Options`."""
    inputs: dict[str, tuple[Ref, ...]]
    """Port -> references, `output` and `split` filled in. Ports that are not bound are absent."""
    column: str
    keep: bool
    resources: dict[str, Any]
    """The operator's defaults with the step's own on top."""
    limits: Limits
    schema: dict[str, pa.DataType] | None
    """Columns of the default output where it is documents (engine columns included); None where not known."""
    splits: tuple[str, ...] | None
    """Labels of the default output: () for none, None where they cannot be known before the run."""
    mark: Mark = field(default=Mark(), compare=False)

    @property
    def kind(self) -> str:
        """The prefix of `uses`."""
        return self.uses.split(".", 1)[0]


@dataclass(frozen=True)
class CheckedSpec:
    """A spec without problems. `steps` are in file order, but a step never stands before one it needs."""

    spec: Spec
    steps: tuple[CheckedStep, ...]
    registry: Registry
    local: tuple[LocalPlugin, ...] = ()
    trackers: tuple[Tracker, ...] = ()

    def step(self, step_id: str) -> CheckedStep:
        """The step with this id; raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
