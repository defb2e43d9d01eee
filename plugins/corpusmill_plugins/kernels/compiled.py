"""How kernels are compiled: one decorator, and a cache folder that is writable, private and tied to the sources.

numba's own cache is keyed by the one file a function stands in. Kernels call one another across files, and an upgrade
from a wheel can leave size and time stamp of a file unchanged, so a stale kernel could be loaded in silence. The folder
name therefore holds a digest of all kernel sources. Where it lies, first that can be written:

1. `NUMBA_CACHE_DIR`, if the user set it;
2. `__pycache__` beside this file (a checkout, a virtual environment);
3. the user's cache folder (`XDG_CACHE_HOME` or `~/.cache`): read-only site-packages;
4. the temporary folder, in a folder of this user with mode 0700: containers without a home. A folder that another
   user made there is refused, because cached kernels are code.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function with numba: no GIL, cached on disk under `cache_folder()`."""
    return _compiled(function, "never")


def inlined(function: Function) -> Function:
    """Like `kernel`, written into its callers: for the smallest, because a call that takes arrays costs."""
    return _compiled(function, "always")


def _compiled(function: Function, inline: str) -> Function:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        return cast("Function", numba.njit(cache=True, nogil=True, inline=inline)(function))
    finally:
        numba.config.CACHE_DIR = before


@cache
def cache_folder() -> Path:
    """Return the folder for compiled kernels; it exists and can be written."""
    name = f"corpusmill-{sources_digest()}"
    for base in _bases():
        folder = base / name
        if _usable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="corpusmill-kernels-"))


@cache
def sources_digest() -> str:
    """Return 16 hex digits over the sources of all kernels, and of the constants they compile in from `plain`."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _bases() -> Iterator[Path]:
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    yield Path(__file__).parent / "__pycache__"
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"]) / "corpusmill"
    elif os.environ.get("HOME"):
        yield Path(os.environ["HOME"]) / ".cache" / "corpusmill"
    yield Path(tempfile.gettempdir()) / f"corpusmill-{os.getuid()}"


def _usable(folder: Path) -> bool:
    """Make the folder if need be; False if it cannot be written or is not ours alone to write."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return False
    shared = status.st_mode & 0o022
    return status.st_uid == os.getuid() and not shared and os.access(folder, os.W_OK | os.X_OK)
