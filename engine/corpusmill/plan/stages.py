"""Stages: what the runner executes, a pass of row-wise steps or one global step."""

from __future__ import annotations

from dataclasses import dataclass

from corpusmill.plan.checked import CheckedStep

ROW_KINDS = frozenset({"clean", "filter", "annotate", "augment", "split"})
STAGE_KINDS = {"dedup": "dedup", "tokens": "tokens", "write": "write"}
"""Prefix -> kind of stage; everything else that is not row-wise is `global`."""


@dataclass(frozen=True)
class Stage:
    """One or more steps that run together; its id is that of its last step.

    `why`: the reason that the stage ends where it does, for `plan`. `removed`: ids of steps whose removed rows some
    step needs.
    """

    kind: str  # pass, dedup, tokens, global, write
    steps: tuple[CheckedStep, ...]
    why: str
    removed: tuple[str, ...] = ()
    quarantine: bool = False
    """True where some step needs the records that the reader turned away."""

    @property
    def id(self) -> str:
        """The id of the last step, under which the stage's output is known."""
        return self.steps[-1].id

    @property
    def reads_files(self) -> bool:
        """True for a pass that starts with a reader."""
        return self.steps[0].kind == "read"

    @property
    def unique_ids(self) -> bool:
        """True for a reader that takes ids from a column: they must be unique over the whole input."""
        return takes_ids(self.steps[0])


def takes_ids(step: CheckedStep) -> bool:
    """True for a reader whose ids come from a column."""
    return step.kind == "read" and getattr(step.options, "id", None) is not None
