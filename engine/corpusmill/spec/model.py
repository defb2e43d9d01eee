"""The typed spec: what a pipeline file says, before anything is known about operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusmill.spec.problems import Mark
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.secrets import redact, redact_values

DEEPEST_JSON = 1024
"""Levels of nesting that the JSON parser takes at most."""


@dataclass(frozen=True)
class Ref:
    """A reference in `needs`: `ID[.OUTPUT][.SPLIT]`, `run:NAME[@TIMESTAMP]/ID…` or `store:DIGEST`.

    `tail` holds the names after the id as written; the check, which knows outputs and labels, fills in `output`
    and `split`. `role` is the split role this reference was given for (`{train: a, validation: b}`).
    """

    text: str
    step: str | None = None
    output: str | None = None
    split: str | None = None
    run: str | None = None
    """`NAME` or `NAME@TIMESTAMP` of another run; `step` is then a step of that run."""
    store: str | None = None
    """Digest of a dataset or artifact in the store."""
    role: str | None = None
    tail: tuple[str, ...] = ()
    mark: Mark = field(default=Mark(), compare=False)

    @property
    def local(self) -> bool:
        """True for a step of this spec."""
        return self.run is None and self.store is None


@dataclass(frozen=True)
class Limits:
    """How much may go wrong; enters no fingerprint.

    But `max_document_bytes` and `max_json_depth` decide which records are read: they enter keys of file shards.
    """

    max_bad_fraction: float = 0.01
    max_bad_records: int | None = None
    max_document_bytes: int = 20_000_000
    max_json_depth: int = 512
    max_expansion: int = 1_000
    """Largest ratio of decompressed to stored bytes of a file, once 64 MB have come out of it."""
    max_expanded_bytes: int | None = 1_000_000_000_000
    """Most bytes that one compressed file may hold; None = no bound (`max_expanded_bytes: null`)."""
    on_corrupt_file: str = "fail"  # or "quarantine"
    deadline: float | None = 60.0
    """Seconds one operator call may take on one batch; None = no deadline (`deadline: null`)."""


@dataclass(frozen=True)
class RunSettings:
    """Where and how wide a run goes; enters no fingerprint."""

    executor: str = "auto"  # auto, inline, ray
    address: str | None = None
    workers: int | None = None
    in_flight: int | None = None
    batch_bytes: int = 8 << 20
    worker_memory: int | None = None
    """Bytes a worker may hold between two units of work; past them it is replaced. None: its share of half of all."""
    scratch: str | None = None
    track: tuple[Step, ...] = ()
    """Trackers that follow the run: `uses` and `options` alone mean something in them."""


@dataclass(frozen=True)
class Step:
    """One entry of `steps`, overrides and profile applied."""

    id: str
    uses: str
    options: dict[str, Any] = field(default_factory=dict)
    needs: dict[str | None, list[Ref]] | None = None
    """Port -> references; the key None holds references given without a port. None: nothing was said."""
    column: str = "text"
    keep: bool = False
    resources: dict[str, Any] = field(default_factory=dict)
    """cpus, gpus (float), memory (bytes), actors (int or (min, max)), workers (int), accelerator (str)."""
    limits: Limits = Limits()
    """The spec's limits with this step's own on top."""
    index: int = 0
    mark: Mark = field(default=Mark(), compare=False)
    marks: Mapping[Place, Mark] = field(default_factory=dict, compare=False, repr=False)
    """Place of each value by its path in the step, such as ("with", "size")."""
    key_marks: Mapping[Place, Mark] = field(default_factory=dict, compare=False, repr=False)

    def place(self, *path: str | int) -> Mark:
        """The mark of the value at this path, or of the nearest thing around it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return self.mark

    def key_place(self, *path: str | int) -> Mark:
        """The mark of the key at this path; the value's where there is no key."""
        return self.key_marks.get(path) or self.place(*path)


@dataclass(frozen=True)
class PluginName:
    """One entry of `plugins`: an installed distribution, or a file when it ends in `.py`."""

    text: str
    mark: Mark = field(default=Mark(), compare=False)

    @property
    def is_file(self) -> bool:
        """True for a plugin file beside the spec."""
        return self.text.endswith(".py")


@dataclass(frozen=True)
class Spec:
    """A whole pipeline file, typed."""

    name: str
    seed: int = 0
    path: str = ""
    """The file as it was named; empty for a spec given as a mapping."""
    base: Path = Path()
    """The folder that relative paths start from (absolute)."""
    text: str = ""
    """The file as given, substitutions unresolved."""
    params: dict[str, Any] = field(default_factory=dict)
    plugins: tuple[PluginName, ...] = ()
    store: str | None = None
    limits: Limits = Limits()
    run: RunSettings = RunSettings()
    steps: tuple[Step, ...] = ()
    search: dict[str, Any] | None = None
    search_marks: Mapping[Place, Mark] = field(default_factory=dict, compare=False, repr=False)
    redacted: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Value of an environment variable -> the `${env:X}` to show in its place."""
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)
    sources: Mapping[str, list[str]] = field(default_factory=dict, compare=False, repr=False)

    def step(self, step_id: str) -> Step | None:
        """The step with this id, or None."""
        return next((step for step in self.steps if step.id == step_id), None)

    def where(self, step_id: str, *path: str | int) -> str:
        """Return `FILE:LINE:COLUMN, step ID` of a value in a step; `step ID` alone where the spec is no file."""
        step = self.step(step_id)
        mark = step.place(*path) if step is not None else Mark()
        place = f"{mark.origin or self.path}:{mark.line}:{mark.column}" if mark.line and self.path else mark.origin
        return ", ".join([*([place] if place else []), f"step {step_id}"])

    def redact(self, text: str) -> str:
        """Return a text with values of `${env:X}` hidden; use it on all that is shown, logged or stored."""
        return redact(text, self.redacted)

    def redact_values(self, value: Any) -> Any:
        """Return JSON values (options, a summary) with values of `${env:X}` hidden in all their texts."""
        return redact_values(value, self.redacted)

    @property
    def environment(self) -> list[str]:
        """Names of the environment variables whose values the spec uses."""
        return sorted({shown[6:-1] for shown in self.redacted.values() if shown.startswith("${env:")})
