"""Claims about what an operator says of itself: options, columns, ports, and that it travels to other processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from corpusmill.plugin.describe import nested_model
from corpusmill.plugin.option import Options, revealed
from corpusmill.plugin.ports import PORTS, Port
from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import EVERY, TRIED, Claim
from corpusmill.testing.findings import Fault, NotApplicable
from corpusmill.testing.outcomes import ROW_KINDS
from corpusmill.testing.twin import elsewhere

_ENGINES = ("id", "file", "offset", "split")
"""Columns that are the engine's to make."""
_OUTPUTS = (*PORTS, "files")


def check_options(bench: Bench) -> Fault | None:
    """Options are a model that refuses what it does not know, every field explained."""
    model = bench.operator.Options
    if not issubclass(model, Options):
        return bench.fault(f"its Options is {model.__module__}.{model.__qualname__}, no corpusmill.Options")
    for path, one in _models(model):
        if one.model_config.get("extra") != "forbid":
            return bench.fault(f"{path} takes unknown keys (extra={one.model_config.get('extra')!r})")
        for name, field in one.model_fields.items():
            if not (field.description or "").strip():
                return bench.fault(f"the option {name!r} of {path} has no help text")
    return None


def check_declarations(bench: Bench) -> Fault | None:
    """Name, version, ports and columns are of the right shape, and the same each time."""
    operator = bench.operator
    if not (operator.__doc__ or "").strip():
        return bench.fault("the class has no docstring")
    if type(operator.version) is not int or operator.version < 1:
        return bench.fault(f"its version is {operator.version!r}, not a whole number from 1")
    wrong = [name for name, port in operator.ports().items() if not isinstance(port, Port)]
    if wrong:
        return bench.fault(f"its input {wrong[0]!r} is no port (Documents, Tokens, Tokenizer, Model, Metrics)")
    unknown = [one for one in (operator.output, *operator.outputs.values()) if one not in _OUTPUTS]
    if unknown:
        return bench.fault(f"its output is of the unknown kind {unknown[0]!r}")
    return _check_columns(bench)


def _check_columns(bench: Bench) -> Fault | None:
    found = attempt(bench.operator, lambda: bench.build(set_up=False))
    if isinstance(found, Raised):
        return Fault(f"it cannot be built: {found.words}", where=found.where)
    columns = attempt(bench.operator, lambda: (found.reads(), found.adds(), found.drops()))
    if isinstance(columns, Raised):
        return Fault(f"it cannot say its columns before setup(): {columns.words}", where=columns.where)
    reads, adds, drops = columns
    if isinstance(reads, str) or not all(isinstance(name, str) for name in (*reads, *drops, *adds)):
        return bench.fault(f"reads() and drops() must be tuples of names; reads() is {reads!r}")
    types = [name for name, kind in adds.items() if not isinstance(kind, pa.DataType)]
    if types:
        return bench.fault(f"adds() gives {types[0]!r} the type {adds[types[0]]!r}, which is no Arrow type")
    taken = [name for name in adds if name in _ENGINES and bench.kind in ROW_KINDS]
    if taken:
        return bench.fault(f"adds() declares {taken[0]!r}, a column that the engine makes")
    return None


def check_travels(bench: Bench) -> Fault | None:
    """The operator can be built elsewhere from its name and its options as JSON, and be pickled as it is."""
    options = bench.options
    again = attempt(bench.operator, lambda: type(options).model_validate(revealed(options)))
    if isinstance(again, Raised):
        return Fault(f"its options do not survive JSON: {again.words}", where=again.where)
    if again != options:
        return bench.fault(f"its options change on the way through JSON: {options!r} comes back as {again!r}")
    found = _pickled(bench)
    if found is not None:
        return found
    answer = elsewhere(bench)
    if answer is not None and "unbuilt" in answer:
        return bench.fault(f"another process cannot build it: {answer['unbuilt']}")
    return None


def _pickled(bench: Bench) -> Fault | None:
    import pickle  # noqa: TID251 - nothing of others is unpickled: it is looked whether Python could carry it

    if "<locals>" in bench.operator.__qualname__:
        raise NotApplicable("the class is defined inside a function, where another process cannot find it")
    operator = bench.build(set_up=False)
    found = attempt(bench.operator, lambda: pickle.loads(pickle.dumps(operator)))  # noqa: S301 - our own bytes
    if isinstance(found, Raised):
        return bench.fault(f"it cannot be pickled: {found.words}")
    return None


def _models(model: type[BaseModel], path: str = "Options") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the model and the models inside it, each once."""
    seen: dict[type[BaseModel], str] = {}
    waiting: list[tuple[str, Any]] = [(path, model)]
    while waiting:
        name, one = waiting.pop(0)
        if one in seen:
            continue
        seen[one] = name
        yield name, one
        inner = ((f"{name}.{key}", nested_model(field.annotation)) for key, field in one.model_fields.items())
        waiting.extend((key, found) for key, found in inner if found is not None)


CLAIMS = (
    Claim(
        "options",
        "options are a corpusmill.Options that forbids unknown keys, with a help text for every field",
        "declare each field with option(default, help=…), and leave extra='forbid' as it is",
        check_options,
        EVERY,
    ),
    Claim(
        "declarations",
        "docstring, version, ports, outputs and columns are declared in the shapes the plan is checked with",
        "correct the declaration; columns may depend on options, never on data or on setup()",
        check_declarations,
        EVERY,
    ),
    Claim(
        "travels",
        "an operator can be built in another process from its name and its options as JSON, and be pickled",
        "keep locks, files, models and lambdas out of __init__ and of options; load what is heavy in setup()",
        check_travels,
        TRIED,
        ("declarations",),
    ),
)
