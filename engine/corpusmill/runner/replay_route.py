"""The route of one document through a run, found backwards: which stages it went through and the row each was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.errors import UsageError
from corpusmill.runner.records import RunRecord, latest_run
from corpusmill.runner.replay_sources import Match, dataset_row
from corpusmill.runner.spec_lock import FILE_NAME, Pin, read_lock
from corpusmill.runner.trace import Located


@dataclass(frozen=True)
class Bound:
    """What a documents reference means: a dataset by its digest, and the step of this run that made it, if one did."""

    digest: str
    step: str | None
    split: str | None = None


@dataclass(frozen=True)
class Leg:
    """One stage of the route, cut at the last step the document went through.

    `row`: the document as it came in, a batch of one row; None where the stage reads files or it was not found.
    `document`: its id when it left. `after`: its row in the dataset the stage published, None where it has none.
    `verdict`: what the run says the last step did: kept, removed or quarantined.
    """

    kind: str
    steps: tuple[Mapping[str, Any], ...]
    row: Any
    document: str
    after: Any
    verdict: str

    @property
    def reads_files(self) -> bool:
        """True for a pass that starts with a reader."""
        return str(self.steps[0]["uses"]).startswith("read.")


class Route:
    """Finds the legs of one document's way, from where it ended back to its file."""

    def __init__(self, record: RunRecord, located: Located):
        self._record, self._located = record, located

    @cached_property
    def store(self) -> Store:
        """The run's store."""
        return Store(self._record.store)

    @cached_property
    def _pins(self) -> Mapping[str, Pin]:
        """What references to other runs meant to this run."""
        return read_lock(self._record.folder / FILE_NAME)

    def legs(self) -> list[Leg]:
        """Return the stages in the order the document went through them; empty where the plan does not say."""
        document, verdict = self._located.id, self._located.outcome
        step: str | None = self._located.target
        after = self._kept_row() if verdict == "kept" else None
        legs: list[Leg] = []
        while step is not None and (stage := self._stage(step)) is not None:
            steps = _until(stage, step)
            bound, row = (None, None) if _reads(steps[0]) else self._given(steps[0], document, after)
            legs.append(Leg(str(stage.get("kind", "pass")), steps, row, document, after, verdict))
            if bound is None or row is None:
                break
            removed = bound.step is not None and bound.step.endswith(".removed")
            step = bound.step.removesuffix(".removed") if bound.step else None
            document, after, verdict = str(row.column("id")[0]), row, "removed" if removed else "kept"
        return legs[::-1]

    def bound(self, reference: str) -> Bound | None:
        """Return what a reference in `needs` means, or None where its output is not recorded."""
        if reference.startswith("store:"):
            return Bound(reference.removeprefix("store:"), None)
        pin = self._pins.get(reference)
        if pin is not None:
            return Bound(pin.digest, None, pin.split)
        if reference.startswith("run:"):
            other, _, reference = reference.removeprefix("run:").partition("/")
            name, _, time = other.partition("@")
            try:
                found = _bound(latest_run(self._record.folder.parent.parent.parent, name, time or None), reference)
            except UsageError:
                return None
            return found and Bound(found.digest, None, found.split)
        return _bound(self._record, reference)

    def _given(self, step: Mapping[str, Any], document: str, after: Any) -> tuple[Bound | None, Any]:
        """Return the dataset that held the document before this step, and its row there."""
        needs = step.get("needs") or {}
        references = needs.get("documents", []) if isinstance(needs, Mapping) else needs
        bounds = [bound for reference in references if (bound := self.bound(str(reference))) is not None]
        for match, any_row in self._matches(document, after):
            for bound in bounds:
                dataset = Dataset.open(self.store, bound.digest)
                row = dataset_row(dataset, match, bound.split, any_row=any_row)
                if row is not None:
                    return bound, row
        return None, None

    def _matches(self, document: str, after: Any) -> list[tuple[Match, bool]]:
        """Return how to know the row: by id, by its parent's, by its place; selected rows first."""
        found = [(Match(id=document), False)]
        if after is not None and "augmented_from" in after.schema.names:
            parent = after.column("augmented_from")[0].as_py()
            found += [(Match(id=parent), False)] if parent else []
        if self._located.file is not None and self._located.offset is not None:
            found.append((Match(file=self._located.file, offset=self._located.offset), False))
        return [*found, (Match(id=document), True)]

    def _kept_row(self) -> Any:
        bound = self.bound(self._located.target)
        if bound is None:
            return None
        return dataset_row(Dataset.open(self.store, bound.digest), Match(id=self._located.id))

    def _stage(self, step: str) -> Mapping[str, Any] | None:
        for stage in self._record.plan.get("stages", []):
            if any(one["id"] == step for one in stage["steps"]):
                return dict(stage)
        return None


def _bound(record: RunRecord, reference: str) -> Bound | None:
    """Read `STEP[.OUTPUT][.SPLIT]` by the outputs that the run recorded."""
    outputs, parts = record.outputs.get("outputs") or {}, reference.split(".")
    for taken in (2, 1):
        name = ".".join(parts[:taken])
        if len(parts) >= taken and name in outputs:
            return Bound(str(outputs[name]["digest"]), name, ".".join(parts[taken:]) or None)
    return None


def _until(stage: Mapping[str, Any], step: str) -> tuple[Mapping[str, Any], ...]:
    steps = stage["steps"]
    last = next(place for place, one in enumerate(steps) if one["id"] == step)
    return tuple(steps[: last + 1])


def _reads(step: Mapping[str, Any]) -> bool:
    return str(step["uses"]).startswith("read.")
