"""Fingerprints: what of a step decides its result, and the recipe a worker builds its operator from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusmill.dataset.hashing import hash_file, hash_json
from corpusmill.errors import InputError
from corpusmill.plan.checked import CheckedStep
from corpusmill.plugin.identity import code_identity
from corpusmill.plugin.operator import Context, Operator
from corpusmill.plugin.option import affects_result, revealed


def build_operator(step: CheckedStep, seed: int, base: Path) -> Any:
    """Return the step's operator as the driver uses it: for declarations and preparation, never for rows."""
    return step.operator(step.options, Context(step=step.id, seed=seed, column=step.column, base=str(base)))


def recipe(step: CheckedStep, seed: int, base: Path, *, device: str = "cpu") -> dict[str, Any]:
    """Return what a worker needs to build the operator; JSON-able. Places of this machine may be in it."""
    return {
        "uses": step.uses,
        "options": revealed(step.options),
        "column": step.column,
        "step": step.id,
        "seed": seed,
        "base": str(base),
        "device": device,
    }


def ingredients(step: CheckedStep, operator: Operator, seed: int) -> dict[str, Any]:
    """Return what decides the step's result beside its inputs, by name, so that `plan` can say what changed.

    The step's id is in it only as the salt of randomised operators and, as a reader's input, of the ids it makes;
    resources, limits, `keep` and options that cannot change a byte are not.
    """
    parts: dict[str, Any] = {
        "operator": step.uses,
        "code": code_identity(step.registered, step.operator),
        "options": _result_options(step),
        "column": step.column,
    }
    if operator.uses_seed:
        parts["seed"] = [seed, step.id]
    if source := getattr(operator, "input_name", ""):
        parts["input"] = source
    if files := _file_hashes(operator):
        parts["files"] = files
    state = getattr(operator, "state", None)
    if callable(state) and (found := state()):
        parts["state"] = found
    return parts


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return the hash of a step's ingredients."""
    return hash_json(parts)


def key_fingerprint(step: CheckedStep, operator: Any) -> str:
    """Return the fingerprint of a deduplicator's sketches: only options that change keys count."""
    options = step.options.model_dump(mode="json", include=set(operator.key_options))
    return hash_json([step.uses, code_identity(step.registered, step.operator), options, step.column])


def _result_options(step: CheckedStep) -> dict[str, Any]:
    options = type(step.options)
    excluded = {name for name in options.model_fields if not affects_result(options, name)}
    return step.options.model_dump(mode="json", exclude=excluded)


def _file_hashes(operator: Operator) -> list[str]:
    """Return the content hashes of the files that options name; where the files lie does not matter."""
    hashes: list[str] = []
    sources = getattr(operator, "sources", None)
    for name in (*operator.files(), *(sources() if callable(sources) else ())):
        path = Path(operator.context.base) / name
        try:
            files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
            hashes.extend(hash_file(one)[0] for one in files)
        except OSError as error:
            raise InputError(f"cannot read {str(name)!r}: {error.strerror}", where=operator.context.step) from error
    return hashes
