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
        except CorpusmillError:
            raise
        except Exception as error:
            if is_disk_full(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise raised(self.recipe, error) from error
        finally:
            self.crumb.put(READ)


def raised(recipe: Mapping[str, Any], error: Exception, when: str = "") -> OperatorError:
    """Return what an operator raised, told with its step and its line; `when`: not while it worked."""
    return OperatorError(
        f"{recipe['uses']} raised {type(error).__name__}{when}: {error}",
        where=f"step {recipe['step']}, {_line(error)}",
        expected="an operator that raises on nothing it is given",
        hint=f"corpusmill plugins show {recipe['uses']}",
    )


def _line(error: Exception) -> str:
    """Name the last line of the plugin's own code that led to an error: what a library did there says less."""
    frames = list(traceback.walk_tb(error.__traceback__))
    packages = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames]
    home = next((package for package in packages if package != "corpusmill"), "corpusmill")
    frame, line = [one for one, package in zip(frames, packages, strict=True) if package == home][-1]
    return f"{Path(frame.f_code.co_filename).name}:{line} in {frame.f_code.co_name}"


def is_disk_full(error: Exception) -> bool:
    """Say whether the disk is full; libraries in Rust (safetensors, tokenizers) tell it in words alone."""
    return getattr(error, "errno", None) in DISK_FULL or f"os error {errno.ENOSPC}" in str(error)
