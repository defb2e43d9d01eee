"""Calling a stranger's code: what it raises becomes words and a place in its own file."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from corpusmill.errors import CorpusmillError
from corpusmill.testing.findings import Broken, NotApplicable

Value = TypeVar("Value")
_METHODS = (
    *("measure", "measure_text", "judge", "rules", "clean", "clean_text", "annotate", "split", "augment"),
    *("sketch", "read", "encode", "windows", "run", "fit"),
)
"""What an operator of any kind defines, the method that does the work first."""


@dataclass(frozen=True)
class Raised:
    """An exception from an operator: in words, and where in its own file."""

    error: BaseException
    where: str | None

    @property
    def words(self) -> str:
        """`KeyError: 'url'`, or an expected error's own words."""
        if isinstance(self.error, CorpusmillError):
            return f"{type(self.error).__name__}: {self.error.what}"
        return f"{type(self.error).__name__}: {self.error}"


def attempt(operator: type[Any], call: Callable[[], Value]) -> Value | Raised:
    """Return what the call returns, or what it raised; claims and interrupts pass through."""
    try:
        return call()
    except (Broken, NotApplicable, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's operator may raise anything, even SystemExit
        return Raised(error, place_of_error(operator, error))


def place_of_error(operator: type[Any], error: BaseException) -> str | None:
    """Return the deepest line of the operator's own file in a traceback; its class where there is none."""
    own = _file(operator)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f"{own}:{frames[-1].lineno}" if own and frames else place_of(operator)


def place_of(operator: type[Any]) -> str | None:
    """Return file and line of the method that does an operator's work, or of its class."""
    for name in _METHODS:
        method = inspect.unwrap(vars(operator)[name]) if name in vars(operator) else None
        code = getattr(method, "__code__", None)
        if code is not None:
            return f"{code.co_filename}:{code.co_firstlineno}"
    return _file(operator)


def display_path(path: str) -> str:
    """Return a path as people read it: relative where it lies below the current folder."""
    relative = os.path.relpath(path) if Path(path).is_absolute() else path
    return path if relative.startswith("..") else relative


def _file(operator: type[Any]) -> str | None:
    """The file name that the operator's code carries; plugin files are compiled under the name the user gave."""
    for value in vars(operator).values():
        code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
        if code is not None:
            return str(code.co_filename)
    module = sys.modules.get(operator.__module__)
    return getattr(module, "__file__", None) or getattr(getattr(module, "__spec__", None), "origin", None)
