"""The options of a finished run's steps, with the values of environment variables looked up late: none is stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from corpusmill.errors import InputError
from corpusmill.spec.secrets import from_environment


def recorded_options(plan: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's options as the run had them, from `plan.json` and this process's environment.

    Raises InputError for a variable that the step uses and that is not set here.
    """
    names = plan.get("environment") or []
    options: dict[str, Any] = _resolved(step["options"], names) if names else dict(step["options"])
    return options


def known_secrets(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that a run's variables have here -> what is shown in their place."""
    return from_environment(plan.get("environment") or [], os.environ)


def _resolved(value: Any, names: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, names) for one in value]
    if isinstance(value, str):
        for name in names:
            mark = f"${{env:{name}}}"
            if mark in value and name not in os.environ:
                raise InputError(f"the run used the environment variable {name!r}, which is not set here")
            value = value.replace(mark, os.environ.get(name, ""))
    return value
