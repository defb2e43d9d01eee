"""What plugins share of a process: folder, locale, environment, signals, seeds; what one changes is put back."""

from __future__ import annotations

import contextlib
import ctypes
import locale
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_WATCHED = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


class Surroundings:
    """The shared state of this process as it was when this was made; `restore` puts it back.

    Working directory, umask, locale, signal handlers and the alarm, the recursion limit, and, unless `loading`, also
    environment variables, the global generators of random, numpy and torch, and numpy's treatment of floating-point
    errors. Variables that are new stay: libraries set theirs when they are first used. While something is imported
    (`loading`) a library may set all of these for itself.
    """

    def __init__(self, *, loading: bool = False) -> None:
        self._folder = _here()
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._locale = locale.setlocale(locale.LC_ALL)
        self._handlers = {number: _handler(number) for number in _WATCHED}
        self._alarm = signal.getitimer(signal.ITIMER_REAL)[0] > 0
        self._recursion = sys.getrecursionlimit()
        self._loading = loading
        self._environment = dict(os.environ)
        self._encoded = dict(_encoded())
        self._generators: dict[str, tuple[Any, Any]] = {}
        self._errors: dict[str, Any] | None = None
        if not loading:
            self._look()

    def restore(self) -> None:
        """Put everything back; harmless, and cheap (some 30 µs) where nothing was changed."""
        self._go_home()
        os.umask(self._umask)
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        self._restore_signals()
        if sys.getrecursionlimit() != self._recursion:
            sys.setrecursionlimit(self._recursion)
        if not self._loading:
            self._restore_environment()
            self._restore_generators()

    def _go_home(self) -> None:
        if self._folder is not None and _here() != self._folder:
            with contextlib.suppress(OSError):  # the folder is gone: nowhere else is better
                os.chdir(self._folder)

    def _restore_environment(self) -> None:
        if _encoded() == self._encoded:
            return
        for name, value in self._environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value

    def _restore_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets only the main thread set handlers, so no plugin can have
        for number, handler in self._handlers.items():
            # None: a handler that was not set from Python cannot be set from there either.
            if handler is not None and _handler(number) != handler:
                signal.signal(number, handler)
        if not self._alarm and signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self) -> None:
        """Remember generators, those of libraries that came since the last look included."""
        for name, (mark, state, _) in _GENERATORS.items():
            if name not in self._generators and (module := _loaded(name)) is not None:
                self._generators[name] = mark(module), state(module)
        if self._errors is None and (numpy := _loaded("numpy")) is not None:
            self._errors = numpy.geterr()

    def _restore_generators(self) -> None:
        for name, (before, state) in self._generators.items():
            mark, _, put_back = _GENERATORS[name]
            module = sys.modules[name]
            if mark(module) != before:
                put_back(module, state)
        if self._errors is not None and sys.modules["numpy"].geterr() != self._errors:
            sys.modules["numpy"].seterr(**self._errors)
        self._look()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Run a block that loads or builds what is a plugin's, and put back what it changed of the process."""
    surroundings = Surroundings(loading=True)
    try:
        yield
    finally:
        surroundings.restore()


def _handler(number: int) -> Any:
    """Return a signal's handler, as the interpreter holds it: to look for it in an enumeration takes longer."""
    return getattr(signal, "_signal", signal).getsignal(number)


def _encoded() -> Mapping[Any, Any]:
    """Return the variables as the interpreter holds them: comparing them as text would take ten times as long."""
    held: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return held


def _here() -> str | None:
    """Return the working directory, None where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return None


def _loaded(name: str) -> Any:
    """Return a module that is there, whole; nothing is imported for the sake of looking."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return None if spec is None or getattr(spec, "_initializing", False) else module


def _mark_of_numpy(module: Any) -> Any:
    """Return the bytes of numpy's global generator: to copy its state as numpy shows it takes forty times as long."""
    generator = module.get_bit_generator()
    if type(generator).__name__ != "MT19937":
        return repr(generator.state)
    return ctypes.string_at(generator.ctypes.state_address, _MT19937_BYTES)


_MT19937_BYTES = 625 * 4
"""624 words and the place among them."""
_GENERATORS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    random.__name__: (
        lambda module: module.getstate(),
        lambda module: module.getstate(),
        lambda module, state: module.setstate(state),
    ),
    "numpy.random": (
        _mark_of_numpy,
        lambda module: module.get_state(legacy=False),
        lambda module, state: module.set_state(state),
    ),
    "torch": (
        lambda module: module.get_rng_state().numpy().tobytes(),
        lambda module: module.get_rng_state(),
        lambda module, state: module.set_rng_state(state),
    ),
}
"""Module -> what tells whether its global generator was used, its state, and how that is put back."""
