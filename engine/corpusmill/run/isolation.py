"""Finding the document that kills its worker, and only that: nothing is excluded for a death that could be anyone's."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from corpusmill.errors import ExecutorError
from corpusmill.run.breadcrumb import READ, Breadcrumb
from corpusmill.run.chunk import Chunk
from corpusmill.run.workspace import Workspace

_PATIENCE = 5
"""How often a template that is itself killed from outside is started again for one question."""


class Isolation:
    """Tries suspect batches in children of a clean template process before the worker touches them.

    A row is excluded only after it has died alone, twice, in fresh processes, inside the same step, and its batch has
    passed without it. A kill from outside therefore never costs a document.
    """

    def __init__(self, suspects: Sequence[Sequence[int]], trial: Trial, recipes: Sequence[Any], crumb: Breadcrumb):
        self._suspects, self._trial, self._recipes, self._crumb = suspects, trial, recipes, crumb

    @staticmethod
    def of(
        payload: Mapping[str, Any], workspace: Workspace, recipes: Sequence[Any], crumb: Breadcrumb
    ) -> Callable[[int, Chunk], dict[int, str]] | None:
        """Return the check for `Guard.before`, or None for a unit that nothing is suspected of."""
        if not payload.get("suspects"):
            return None
        trial = Trial(workspace.settings, payload["deadline"])
        return Isolation(payload["suspects"], trial, recipes, crumb)

    def __call__(self, step: int, chunk: Chunk) -> dict[int, str]:
        """Return the rows of the chunk to exclude from this step, each with the reason."""
        if not any(s == step and first <= chunk.rows[-1] and chunk.rows[0] <= last for s, first, last in self._suspects):
            return {}
        self._crumb.put(READ)
        excluded: dict[int, str] = {}
        remaining = np.arange(len(chunk))
        recipe = self._recipes[step]
        while len(remaining) and self._trial.whole(recipe, _take(chunk, remaining)) not in _SURVIVED:
            position = self._trial.first_death(recipe, _take(chunk, remaining))
            if position is None:
                continue
            row = remaining[position]
            deaths = [self._trial.whole(recipe, chunk.slice(int(row), int(row) + 1)) for _ in range(2)]
            if any(death in _SURVIVED for death in deaths):
                continue
            remaining = np.delete(remaining, position)
            excluded[int(chunk.rows[row])] = deaths[-1]
        return excluded


_SURVIVED = ("ok", "raised")


class Trial:
    """Asks a template process to run an operator on a batch in a fresh child, and says how the child ended."""

    def __init__(self, settings: Mapping[str, Any], deadline: float | None):
        self._settings, self._deadline = dict(settings), deadline
        self._template: subprocess.Popen[bytes] | None = None

    def whole(self, recipe: Mapping[str, Any], chunk: Chunk) -> str:
        """Return `ok`, `raised`, or how the child died (`crashed (signal 11)`, `passed its deadline`)."""
        return str(self._ask(recipe, chunk, by_row=False)["status"])

    def first_death(self, recipe: Mapping[str, Any], chunk: Chunk) -> int | None:
        """Return the position of the first row that kills a child running row by row; None if none does."""
        answer = self._ask(recipe, chunk, by_row=True)
        return None if answer["status"] in _SURVIVED else int(answer["row"])

    def _ask(self, recipe: Mapping[str, Any], chunk: Chunk, *, by_row: bool) -> dict[str, Any]:
        data = _to_bytes(chunk.batch)
        header = {"recipe": dict(recipe), "bytes": len(data), "by_row": by_row, "deadline": self._deadline}
        for _ in range(_PATIENCE):
            template = self._running()
            assert template.stdin is not None and template.stdout is not None
            try:
                template.stdin.write(orjson.dumps(header) + b"\n" + data)
                template.stdin.flush()
                line = template.stdout.readline()
            except BrokenPipeError:
                line = b""
            if line:
                answer: dict[str, Any] = orjson.loads(line)
                return answer
            template.kill()
            template.wait()
            self._template = None
        raise ExecutorError(
            f"the process that tries suspect documents of {recipe['uses']} was killed {_PATIENCE} times",
            expected="a machine with enough memory for one more process",
            hint="free some memory, then run the same command; finished work is kept",
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._template is None or self._template.poll() is not None:
            command = [sys.executable, "-m", "corpusmill.run.isolated"]
            self._template = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
            assert self._template.stdin is not None
            self._template.stdin.write(orjson.dumps(self._settings) + b"\n")
        return self._template


def _take(chunk: Chunk, positions: Any) -> Chunk:
    return Chunk(chunk.batch.take(pa.array(positions)), chunk.rows[positions])


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()
