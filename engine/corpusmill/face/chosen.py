"""The operator that is meant: a name, a plugin file or a class, its options checked and its ports bound."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.errors import CorpusmillError, PluginError, SpecError, UsageError
from corpusmill.face.opening import Artifact, open_artifact
from corpusmill.plan.options import check_options
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.operator import Context, Operator
from corpusmill.plugin.registry import Registered, Registry
from corpusmill.plugin.resolve import resolve
from corpusmill.spec.model import Step
from corpusmill.spec.problems import Mark, Problems
from corpusmill.spec.problems import Path as Place

ROW_KINDS = ("clean", "filter", "annotate", "augment", "split")
DOCUMENT_KINDS = (*ROW_KINDS, "dedup")
"""Kinds that can be shown what they do to documents at hand."""
Bound = str | PathLike[str] | Artifact


@dataclass(frozen=True)
class Chosen:
    """An operator class, how `uses` names it, and where it comes from (None for a class that nothing registered)."""

    uses: str
    operator: type[Operator]
    registered: Registered | None = None
    local: tuple[LocalPlugin, ...] = ()

    @property
    def kind(self) -> str:
        """The kind, the first part of `uses`."""
        return self.uses.partition(".")[0]

    @property
    def step(self) -> str:
        """The id of the step that it would be without another name: what random choices are salted with."""
        return self.uses.replace(".", "-")


def choose(
    operator: str | PathLike[str] | type[Operator],
    name: str | None = None,
    plugins: Sequence[str] = (),
    hint: str = "--operator {}",
) -> Chosen:
    """Return the operator that a name (`filter.length`), a plugin file or a class means.

    `name`: which one, where a file registers several that work on documents. `plugins`: files to look for names in as
    well. `hint`: how to say which one is meant. Raises PluginError for what cannot be loaded and UsageError where it
    is not clear which one is meant.
    """
    if isinstance(operator, type):
        return Chosen(f"{operator.kind}.{operator.__name__}", operator)
    text = fspath(operator)
    is_file = text.endswith(".py")
    local = tuple(_read(one) for one in ([text] if is_file else []) + list(plugins))
    registry = load_registry(local)
    uses = _only(registry, local[0], name, hint) if is_file else text
    try:
        registered = registry.lookup(uses)
    except CorpusmillError as error:
        near = registry.nearest(uses)
        error.hint = f"did you mean {near!r}?" if near else error.hint
        raise
    return Chosen(uses, resolve(registered), registered, local)


def _read(name: str) -> LocalPlugin:
    """Read a plugin file and import it once here, so that what it raises is told with its line."""
    local = LocalPlugin.read(name, Path.cwd())
    try:
        local.load()
    except Exception as error:
        raise PluginError(
            f"plugin file {name!r} cannot be imported: {type(error).__name__}: {error}",
            where=_place(name, error),
            expected="a Python file that imports",
        ) from error
    return local


def _place(name: str, error: Exception) -> str:
    """Return file and line of what a plugin file raised while it was imported."""
    if isinstance(error, SyntaxError) and error.filename == name:
        return f"{name}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return f"{name}:{lines[-1]}" if lines else name


def _only(registry: Registry, local: LocalPlugin, name: str | None, hint: str) -> str:
    """Return what a plugin file registers: the one operator, or the one of this name."""
    broken = next((one for one in registry.broken if one.origin.local == local.module), None)
    if broken is not None:
        raise PluginError(f"plugin file {local.name!r} cannot be used: {broken.cause}", where=local.name)
    found = [uses for uses, one in registry.operators.items() if one.origin.local == local.module]
    found += [uses for uses, owners in registry.conflicts.items() if local.name in owners]
    triable = [uses for uses in found if uses.partition(".")[0] in DOCUMENT_KINDS]
    fitting = [uses for uses in found if name in (uses, uses.partition(".")[2])] if name else triable or found
    if len(fitting) != 1:
        raise UsageError(
            f"plugin file {local.name!r} registers {', '.join(found) or 'no operator'}"
            + (f", not {name!r}" if name else ""),
            expected="the name of one of them" if found else "a corpusmill_register(registry) that names an operator",
            hint=hint.format((triable or found)[0]) if found else "corpusmill plugins new filter my-rule",
        )
    return fitting[0]


def checked_options(chosen: Chosen, options: Mapping[str, Any], origin: str = "{}") -> Any:
    """Return the validated options; raises SpecError with all that is wrong, each under `origin` with its name."""
    problems = Problems()
    marks: dict[Place, Mark] = {("with", name): Mark(origin=origin.format(name)) for name in options}
    step = Step(chosen.step, chosen.uses, dict(options), mark=Mark(origin=chosen.uses), marks=marks, key_marks=marks)
    found = check_options(step, chosen.operator, problems)
    if found is None:
        # The step's id says nothing where there is one operator and no spec.
        raise SpecError([replace(problem, step=None) for problem in problems.sorted()])
    return found


def build(
    chosen: Chosen,
    options: Any,
    *,
    column: str = "text",
    seed: int = 0,
    inputs: Mapping[str, Bound] | None = None,
    store: str = "store",
) -> Any:
    """Return the operator, set up; raises UsageError where a port that it needs is not bound, or not one of its own."""
    ports = {name: port for name, port in chosen.operator.ports().items() if port.artifact != "documents"}
    given = dict(inputs or {})
    for name in given.keys() - ports.keys():
        raise UsageError(
            f"{chosen.uses} has no input {name!r}", expected=f"one of {', '.join(ports)}" if ports else "no inputs"
        )
    for name, port in ports.items():
        if port.required and name not in given:
            raise UsageError(
                f"{chosen.uses} needs a {port.artifact} on its input {name!r}",
                expected=f"a folder, or a reference such as run:NAME/STEP, to a {port.artifact}",
                hint="corpusmill preview SPEC STEP runs it with what a spec binds to it",
            )
    handles = {name: _handle(one, store) for name, one in given.items()}
    context = Context(step=chosen.step, seed=seed, column=column, base=str(Path.cwd()), inputs=handles)
    operator = chosen.operator(options, context)
    operator.setup()
    return operator


def _handle(bound: Bound, store: str) -> SimpleNamespace:
    if not isinstance(bound, Artifact):
        text = fspath(bound)
        if Path(text).is_dir() and not text.startswith("run:"):
            return SimpleNamespace(digest=hash_json([text]), path=Path(text))
        bound = open_artifact(bound, store=store)
    return SimpleNamespace(digest=bound.digest, path=bound.path, summary=bound.summary, values=bound.summary)
