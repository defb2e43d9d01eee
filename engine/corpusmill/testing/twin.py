"""The twin: another process with another hash seed, in which operators are built from what travels, and tried."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from select import select
from typing import Any

from corpusmill.plugin.local import LocalPlugin
from corpusmill.plugin.option import revealed
from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench, Trial
from corpusmill.testing.comparison import fingerprint
from corpusmill.testing.findings import Broken, NotApplicable
from corpusmill.testing.samples import Samples
from corpusmill.testing.trials import try_once

SECONDS = 300.0
"""How long one answer may take; a hang is a finding."""
_START = "from corpusmill.testing.twin import serve; serve()"
_READY = 1


class Twin:
    """A child process that answers requests, one JSON line each; started with the first, again after a hang."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, request: dict[str, Any], seconds: float = SECONDS) -> dict[str, Any] | None:
        """Return the answer, or None when there was none in time or the process died."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.stop()
            return None
        if not select([process.stdout], [], [], seconds)[0]:
            self.stop()
            return None
        line = process.stdout.readline()
        if not line:
            self.stop()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            own = os.environ.get("PYTHONHASHSEED", "random")
            other = "1" if own != "1" else "2"
            paths = os.pathsep.join(path for path in sys.path if path)
            environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONHASHSEED": other, "PYTHONPATH": paths}
            pipe = subprocess.PIPE
            command = [sys.executable, "-c", _START]
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        return self._process


@cache
def shared_twin() -> Twin:
    """Return this process's twin."""
    twin = Twin()
    atexit.register(twin.stop)
    return twin


def ask(
    bench: Bench, texts: list[str | None] | None = None, seconds: float = SECONDS, *, only_try: bool = False
) -> dict[str, Any] | None:
    """Build the operator in the twin from what travels (class by name, options as JSON) and try it there.

    Returns {"parts": name -> fingerprint}, {"raised": words, "where": place}, {"unbuilt": words}, or None when no
    answer came in time. `texts` replace those of the bench. With `only_try` it is the answer that counts.
    """
    return shared_twin().call(
        {
            "uses": bench.uses,
            "class": _travelling(bench.operator),
            "options": revealed(bench.options),
            "samples": str(bench.samples.folder),
            "numbers": bench.numbers,
            "only_try": only_try,
            "texts": bench.texts if texts is None else texts,
        },
        seconds,
    )


def survives(bench: Bench) -> bool:
    """True where the twin came back from the operator's first go: what kills or hangs it must not do so here."""
    try:
        return ask(bench, only_try=True) is not None
    except NotApplicable:
        return True


def elsewhere(bench: Bench) -> dict[str, Any] | None:
    """Return what the twin makes of the bench's own texts, asked once."""
    if not bench.answers and bench.goes:  # the first go settles which texts can be used
        bench.answers.append(ask(bench))
    return bench.answers[0]


def parts(trial: Trial) -> dict[str, str]:
    """Return the fingerprint of each part of a trial."""
    return {name: fingerprint(value) for name, value in trial.items()}


def _travelling(operator: type[Any]) -> dict[str, str | None]:
    """Return how another process finds a class: by module and name, or by the bytes of its file."""
    if "<locals>" in operator.__qualname__:
        raise NotApplicable("the class is defined inside a function, where another process cannot find it")
    module = sys.modules.get(operator.__module__)
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    plugin = getattr(loader, "plugin", None)
    if plugin is None:
        file = getattr(module, "__file__", None)
        plugin = LocalPlugin.read(file, Path()) if file and file.endswith(".py") else None
    return {
        "module": operator.__module__,
        "name": operator.__qualname__,
        "file": plugin.name if plugin else None,
        "hash": plugin.hash if plugin else None,
        "source": plugin.source.decode("latin-1") if plugin else None,
    }


def _class(found: dict[str, str]) -> Any:
    """Return a class by its module, or from its file's bytes where no module of that name can be imported."""
    try:
        value: Any = import_module(found["module"])
    except ImportError:
        if not found["source"]:
            raise
        value = LocalPlugin(found["file"], found["hash"], found["source"].encode("latin-1")).load()
    for name in found["name"].split("."):
        value = getattr(value, name)
    return value


def serve() -> None:
    """Answer requests until there are no more; what operators print goes to standard error."""
    answers = os.fdopen(os.dup(_READY), "wb")
    os.dup2(2, _READY)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        os.chdir(request["samples"])
        answers.write(json.dumps(_answer(request)).encode() + b"\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        operator = _class(request["class"])
        options = operator.Options.model_validate(request["options"])
    except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises is the answer
        return {"unbuilt": f"{type(error).__name__}: {error}"}
    bench = Bench(request["uses"], operator, options, Samples(Path(request["samples"])))
    bench.texts, bench.numbers = request["texts"], request["numbers"]
    try:
        made = attempt(operator, bench.first_go if request["only_try"] else lambda: try_once(bench, bench.one))
    except (Broken, NotApplicable) as error:
        return {"raised": str(error), "where": None}
    if isinstance(made, Raised):
        return {"raised": made.words, "where": made.where}
    return {"parts": parts(made)}
