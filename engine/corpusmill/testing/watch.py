"""What an operator does to the process around it: output, folder, environment, locale, signals, generators, threads."""

from __future__ import annotations

import io
import locale
import os
import random
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

MANNERS = ("output", "folder", "environment", "locale", "signals", "random-state", "process", "threads")
"""The claims that a watch can find broken, in the order they are told."""
_CATEGORIES = ("LC_CTYPE", "LC_COLLATE", "LC_NUMERIC", "LC_TIME", "LC_MONETARY")
ONCE = ("environment", "process")
"""Claims of what loading a library may change too."""
_PATIENCE = 1.0
"""Seconds that threads get to end by themselves."""


class Watch:
    """Watches a block: afterwards `changes` says, by claim, what the block left changed; all of it is put back.

    The block runs in an empty folder of its own. Standard output and error are caught where Python writes and where
    C code does.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self.changes: dict[str, str] = {}
        self._patience = patience

    def __enter__(self) -> Watch:
        self._home = os.getcwd()  # noqa: PTH109
        self._scratch = tempfile.mkdtemp(prefix="corpusmill-check-")
        os.chdir(self._scratch)
        self._files = [_Caught(1), _Caught(2)]
        self._streams = sys.stdout, sys.stderr
        self._python = io.StringIO(), io.StringIO()
        sys.stdout, sys.stderr = self._python
        self._before = {name: look() for name, look in _LOOKS.items()}
        self._environment = dict(os.environ)
        self._signals = _handlers()
        self._generators = _generators()
        self._threads = set(threading.enumerate())
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._streams
        written = [caught.stop() for caught in self._files]
        for name, stream, python in zip(("stdout", "stderr"), written, self._python, strict=True):
            self._see_output(name, python.getvalue() + stream)
        self._see_folder()
        self._see_environment()
        self._see_signals()
        self._see_generators()
        for name, look in _LOOKS.items():
            self._see_state(name, self._before[name], look())
        self._see_threads()

    def _see_output(self, name: str, text: str) -> None:
        if text.strip():
            lines = text.strip().splitlines()
            more = f" and {len(lines) - 1} more lines" if len(lines) > 1 else ""
            self.changes.setdefault("output", f"it wrote to {name}: {lines[0][:120]!r}{more}")

    def _see_folder(self) -> None:
        import shutil

        try:
            here = os.getcwd()  # noqa: PTH109
        except FileNotFoundError:
            here = "a folder that is gone"
        os.chdir(self._home)
        left = sorted(path.name for path in Path(self._scratch).iterdir())
        shutil.rmtree(self._scratch, ignore_errors=True)
        if os.path.realpath(here) != os.path.realpath(self._scratch):
            self.changes["folder"] = f"it changed the working directory to {here!r}"
        elif left:
            self.changes["folder"] = f"it left {left[0]!r} in the working directory"

    def _see_environment(self) -> None:
        now = dict(os.environ)
        names = sorted(name for name in {*now, *self._environment} if now.get(name) != self._environment.get(name))
        # pytest says in the environment which test runs; that is not the operator's doing.
        names = [name for name in names if name != "PYTEST_CURRENT_TEST"]
        if not names:
            return
        words = [f"{name}={now[name]!r}" if name in now else f"{name} removed" for name in names]
        self.changes["environment"] = f"it changed environment variables: {', '.join(words)}"
        for name in names:
            if name in self._environment:
                os.environ[name] = self._environment[name]
            else:
                del os.environ[name]

    def _see_signals(self) -> None:
        now = _handlers()
        changed = [number for number, handler in self._signals.items() if now.get(number) != handler]
        for number in changed:
            self.changes.setdefault("signals", f"it replaced the handler of {signal.Signals(number).name}")
            if self._signals[number] is not None and threading.current_thread() is threading.main_thread():
                signal.signal(number, self._signals[number])

    def _see_generators(self) -> None:
        for name, (state, put_back) in self._generators.items():
            if not _same_state(_STATES[name](), state):
                self.changes.setdefault("random-state", f"it drew from or seeded the global generator of {name}")
                put_back()

    def _see_state(self, name: str, before: Any, after: Any) -> None:
        # Where torch was not loaded before, nothing of it was there to be left alone.
        if before == after or before in (None, "None"):
            return
        claim = "locale" if name in _CATEGORIES else "process"
        self.changes.setdefault(claim, f"it changed {name} from {before!r} to {after!r}")
        _PUT_BACK[name](before)

    def _see_threads(self) -> None:
        left = [one for one in threading.enumerate() if one not in self._threads]
        for one in left:
            one.join(self._patience / len(left))
        alive = [one.name for one in left if one.is_alive()]
        if alive:
            self.changes["threads"] = (
                f"it left {len(alive)} thread{'s' if len(alive) > 1 else ''} running: {alive[0]!r}"
            )


class _Caught:
    """A file descriptor that writes into a temporary file until it is stopped."""

    def __init__(self, number: int):
        self._number, self._saved = number, os.dup(number)
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        os.dup2(self._file.fileno(), number)

    def stop(self) -> str:
        """Put the descriptor back and return what was written."""
        os.dup2(self._saved, self._number)
        os.close(self._saved)
        self._file.seek(0)
        text = self._file.read(1 << 20).decode("utf-8", "replace")
        self._file.close()
        return text


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _numpy_state() -> Any:
    import numpy as np

    return np.random.get_state(legacy=False)  # noqa: NPY002 - looked at, so that others leave it alone


def _torch_state() -> Any:
    torch = sys.modules.get("torch")
    return torch.get_rng_state().numpy().tobytes() if torch is not None else None


_STATES: dict[str, Callable[[], Any]] = {
    "random": random.getstate,
    "numpy.random": _numpy_state,
    "torch": _torch_state,
}


def _generators() -> dict[str, tuple[Any, Callable[[], None]]]:
    """Return the state of each global generator, and how to put it back; torch's only where it is loaded."""
    found: dict[str, tuple[Any, Callable[[], None]]] = {}
    for name, look in _STATES.items():
        state = look()
        if state is not None:
            found[name] = (state, lambda name=name, state=state: _restore(name, state))  # type: ignore[misc]
    return found


def _restore(name: str, state: Any) -> None:
    import numpy as np

    if name == "random":
        random.setstate(state)
    elif name == "numpy.random":
        np.random.set_state(state)  # noqa: NPY002 - as it was found
    else:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _same_state(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return all(_same_state(left[name], right[name]) for name in left)
    same = left == right
    return bool(same.all()) if hasattr(same, "all") else bool(same)


def _torch_setting(name: str) -> Any:
    torch = sys.modules.get("torch")
    return getattr(torch, name)() if torch is not None else None


_LOOKS: dict[str, Callable[[], Any]] = {
    **{name: lambda name=name: locale.setlocale(getattr(locale, name)) for name in _CATEGORIES},  # type: ignore[misc]
    "sys.path": lambda: list(sys.path),
    "the recursion limit": sys.getrecursionlimit,
    "the warnings module": lambda: warnings.showwarning,
    "torch's threads": lambda: _torch_setting("get_num_threads"),
    "torch's deterministic algorithms": lambda: _torch_setting("are_deterministic_algorithms_enabled"),
    "torch's default type": lambda: str(_torch_setting("get_default_dtype")),
}


def _put_locale(name: str, value: str) -> None:
    locale.setlocale(getattr(locale, name), value)


def _put_path(value: list[str]) -> None:
    sys.path[:] = value


def _put_torch(setter: str) -> Callable[[Any], None]:
    def put(value: Any) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and value is not None and value != "None":
            getattr(torch, setter)(getattr(torch, value.removeprefix("torch.")) if isinstance(value, str) else value)

    return put


def _put_warnings(value: Any) -> None:
    warnings.showwarning = value


_PUT_BACK: dict[str, Callable[[Any], None]] = {
    **{name: lambda value, name=name: _put_locale(name, value) for name in _CATEGORIES},  # type: ignore[misc]
    "sys.path": _put_path,
    "the recursion limit": sys.setrecursionlimit,
    "the warnings module": _put_warnings,
    "torch's threads": _put_torch("set_num_threads"),
    "torch's deterministic algorithms": _put_torch("use_deterministic_algorithms"),
    "torch's default type": _put_torch("set_default_dtype"),
}
