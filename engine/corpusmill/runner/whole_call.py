"""Calls of an operator that are about no document in particular: who it was is said where one raises, dies or hangs."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.plugin.local import home_of
from corpusmill.plugin.operator import Operator
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.deadline import deadline, patient
from corpusmill.runner.guard import DISK_FULL

Result = TypeVar("Result")


@dataclass(frozen=True)
class WholeCalls:
    """Calls methods of a step's operator; `seconds`: the step's deadline, of which such a call may take several.

    No document can be left out for what happens here, so the run stops, with plugin, step and line in the error.
    """

    recipe: Mapping[str, Any]
    crumb: Breadcrumb
    seconds: float | None = None

    def __call__(self, method: Callable[..., Result], *arguments: Any) -> Result:
        """Return what the method returns; raises OperatorError for what it raises, OSError for a full disk."""
        self.crumb.put(OPERATOR)
        try:
            with deadline(patient(self.seconds)):
                return method(*arguments)
        except (CorpusmillError, KeyboardInterrupt):
            raise
        except BaseException as error:  # sys.exit(), panics of Rust extensions
            if is_disk_full(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise raised(self.recipe, error) from error
        finally:
            self.crumb.put(READ)


def raised(recipe: Mapping[str, Any], error: BaseException, when: str = "") -> OperatorError:
    """Return what an operator raised, told with its step and its line; `when`: not while it worked."""
    told = f"{recipe['uses']} raised {type(error).__name__}{when}: {error}"
    return _told(told, recipe["step"], error, f"corpusmill plugins show {recipe['uses']}")


def attributed(error: Exception) -> Exception:
    """Return the error of an operator that the engine asked something, told as such; any other as it is.

    Whoever called it did not expect it to raise: its rules, a threshold, the name of a file.
    """
    if isinstance(error, CorpusmillError):
        return error
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        operator = frame.f_locals.get("self")
        if isinstance(operator, Operator):
            name = f"{type(operator).__name__}.{frame.f_code.co_name}()"
            told = f"{name} raised {type(error).__name__}: {error}"
            return _told(told, operator.context.step, error, check_place(type(operator)))
    return error


def check_place(operator: type) -> str:
    """Return the command that holds an operator's class against its contract, or lists whose it is."""
    home = home_of(operator)
    return f"corpusmill plugins check {home}" if home.endswith(".py") else "corpusmill plugins"


def _told(what: str, step: str, error: BaseException, hint: str) -> OperatorError:
    expected = "an operator that raises on nothing it is given"
    return OperatorError(what, where=f"step {step}, {_line(error)}", expected=expected, hint=hint)


def _line(error: BaseException) -> str:
    """Name the last line of the plugin's own code that led to an error: what a library did there says less."""
    frames = list(traceback.walk_tb(error.__traceback__))
    packages = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames]
    home = next((package for package in packages if package != "corpusmill"), "corpusmill")
    frame, line = [one for one, package in zip(frames, packages, strict=True) if package == home][-1]
    return f"{Path(frame.f_code.co_filename).name}:{line} in {frame.f_code.co_name}"


def is_disk_full(error: BaseException) -> bool:
    """Say whether the disk is full; libraries in Rust (safetensors, tokenizers) tell it in words alone."""
    return getattr(error, "errno", None) in DISK_FULL or f"os error {errno.ENOSPC}" in str(error)
