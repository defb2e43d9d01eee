"""Running a spec from Python: the same runs as `corpusmill run` makes, with the result as values."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from corpusmill.dataset.store import Store
from corpusmill.errors import UsageError, nearest
from corpusmill.face import opening
from corpusmill.face.dataset import Dataset
from corpusmill.face.opening import Artifact, open_artifact, open_tokens
from corpusmill.face.tokens import TokenDataset
from corpusmill.report.ending import run_observers
from corpusmill.runner.command import Given
from corpusmill.runner.driver import DEFAULT_STORE, RunOptions, RunResult, run_spec

Source = str | PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """What a step left: `kind` (documents, tokens, tokenizer, model, metrics, files), digest and place.

    `rows`: documents, for documents and tokens. `splits`: label -> documents (for tokens: their counts). `values`: the
    numbers of metrics.
    """

    kind: str
    digest: str | None
    path: str
    rows: int | None = None
    splits: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """What a step did to documents: `read + added = kept + removed + quarantined`, the last two by reason."""

    read: int
    kept: int
    added: int = 0
    changed: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that is done. `outputs` and `counts` are by step; a further output is `STEP.NAME` (`near.removed`).

    `folder`: the record of the run (journal, plan, report.html). `notices`: what was said aloud on the way.
    """

    name: str
    status: str
    folder: Path
    store: str
    executor: str
    seconds: float
    outputs: Mapping[str, Output] = field(repr=False)
    counts: Mapping[str, Counts] = field(repr=False)
    notices: tuple[str, ...] = ()

    @property
    def datasets(self) -> dict[str, Dataset]:
        """The documents that steps left, opened: name -> dataset, in the order of the run."""
        return {name: self.dataset(name) for name, one in self.outputs.items() if one.kind == "documents"}

    def dataset(self, name: str) -> Dataset:
        """Open the documents that a step left: `run.dataset("near")`, `run.dataset("near.removed")`."""
        return opening.open(self._place(name), store=self.store)

    def tokens(self, name: str) -> TokenDataset:
        """Open the tokens that a step left."""
        return open_tokens(self._place(name), store=self.store)

    def artifact(self, name: str) -> Artifact:
        """Open the model, tokenizer or metrics that a step left."""
        return open_artifact(self._place(name), store=self.store)

    def _place(self, name: str) -> str:
        output = self.outputs.get(name)
        if output is None:
            near = nearest(name, self.outputs)
            raise UsageError(
                f"run {self.name!r} has no output {name!r}",
                where=str(self.folder / "outputs.json"),
                expected=f"one of {', '.join(self.outputs)}" if self.outputs else "a run that leaves outputs",
                hint=f"did you mean {near!r}?" if near else None,
            )
        if output.digest is None or output.kind == "files":
            raise UsageError(
                f"{name!r} is a folder of published files: {output.path}", expected="documents or the like"
            )
        return f"store:{output.digest}"


def run(
    spec: Source,
    *,
    params: Mapping[str, Any] | None = None,
    profile: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    executor: str | None = None,
    address: str | None = None,
    workers: int | None = None,
    until: str | None = None,
    seed: int | None = None,
    limit: int | None = None,
    debug: bool = False,
    wait: bool = False,
    relock: bool = False,
    retry: bool = False,
    no_plugins: Sequence[str] = (),
    progress: bool = False,
    **overrides: Any,
) -> Run:
    """Run a spec, or go on where it stopped, and return what it made.

    `spec`: a pipeline file, or a mapping of the same shape (relative paths in it start at the current folder).
    `overrides`: options of steps, by the step's id: `near={"threshold": 0.8}`, or with dots as for `--set`:
    `**{"near.threshold": 0.8, "near.resources.cpus": 2}`. `params`: values of the spec's params. The others are the
    options of `corpusmill run`. `progress=True` shows the run on stderr. What operators print goes to stderr.

    Raises SpecError with every problem of the spec (`.problems`), and what stopped the run: a CorpusmillError with
    `.what`, `.where`, `.expected` and `.hint`. What was finished is kept, and the same call goes on from there.
    """
    settings = {} if seed is None else {"seed": seed}
    laid = None if profile is None else fspath(profile)
    given = Given(list(_sets(overrides)), params or {}, laid, no_plugins, settings)
    options = RunOptions(
        store=None if store is None else fspath(store),
        executor=executor,
        address=address,
        workers=workers,
        until=until,
        limit=limit,
        debug=debug,
        wait=wait,
        relock=relock,
        retry=retry,
        fork=False,  # a notebook has threads, and whoever used torch before has more
        given=given,
    )
    with _operators_on_stderr():
        checked = given.check(spec, until)
        observers = run_observers(sys.stderr, quiet=not progress)
        try:
            result = run_spec(checked, options, observers)
        finally:
            observers[0].close()
    return _typed(result, Store(options.store or checked.spec.store or DEFAULT_STORE).uri)


def _sets(overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield path and value: `near={"threshold": 0.8}` sets options of a step one by one."""
    for name, value in overrides.items():
        if isinstance(value, Mapping) and "." not in name:
            yield from ((f"{name}.{option}", one) for option, one in value.items())
        else:
            yield name, value


def _typed(result: RunResult, store: str) -> Run:
    told = result.outputs
    return Run(
        name=told["name"],
        status=told["status"],
        folder=result.folder,
        store=store,
        executor=told["executor"],
        seconds=told["seconds"],
        outputs={name: _output(one) for name, one in told["outputs"].items()},
        counts={name: _counts(one) for name, one in told["counts"].items()},
        notices=tuple(result.notices),
    )


def _output(one: Mapping[str, Any]) -> Output:
    return Output(
        kind=one["kind"],
        digest=one.get("digest"),
        path=one["path"],
        rows=one.get("rows"),
        splits=one.get("splits") or {},
        values=one.get("values") or {},
    )


def _counts(one: Mapping[str, Any]) -> Counts:
    return Counts(
        read=one["in"],
        kept=one["out"],
        added=one.get("added", 0),
        changed=one.get("changed", 0),
        removed=one.get("removed") or {},
        quarantined=one.get("quarantined") or {},
    )


@contextlib.contextmanager
def _operators_on_stderr() -> Iterator[None]:
    """A notebook's cell, like a command's stdout, is for the answer."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
