"""Finding the document that kills its worker, and only that: nothing is excluded for a death that could be anyone's."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from corpusmill.errors import ExecutorError, OperatorError
from corpusmill.plugin.local import home_of
from corpusmill.runner.breadcrumb import READ, Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.fatigue import memory_limit
from corpusmill.runner.guard import check_command
from corpusmill.runner.isolated import OUTSIDE
from corpusmill.runner.workspace import Workspace

SOLITARY_DEATHS = 2
"""So often a row must die alone before it is blamed."""
NEIGHBOURS = 10
"""So many rows in a row that each die alone mean that the operator is broken, not the documents."""
_SURVIVED = ("ok", "raised")
_PATIENCE = 5
"""How often a batch that dies and whose rows do not is looked at before the machine is held to be at fault."""
_KILLS = 8
"""How often one question is asked while whoever is to answer is killed from outside."""


class Isolation:
    """Tries suspect batches in children of a clean template process before the worker touches them.

    A row is excluded only after it has died alone, twice, in fresh processes, the same way, inside the same step, and
    its batch has passed without it. A SIGKILL that a row's process did not send itself is no death of the row: whoever
    sends it, and however often, it costs no document.
    """

    def __init__(
        self,
        suspects: Sequence[Sequence[int]],
        trial: Trial,
        recipes: Sequence[Any],
        crumb: Breadcrumb,
        deadlines: Sequence[float | None] = (),
        homes: Sequence[str] = (),
        *,
        wide: bool = False,
    ):
        self._suspects, self._trial, self._recipes, self._crumb = suspects, trial, recipes, crumb
        self._deadlines, self._homes, self._wide = deadlines, homes, wide

    @staticmethod
    def of(
        payload: Mapping[str, Any],
        workspace: Workspace,
        recipes: Sequence[Any],
        crumb: Breadcrumb,
        *,
        wide: bool = False,
    ) -> Callable[[int, Chunk], dict[int, str]] | None:
        """Return the check for `Guard.before`, or None for a unit that nothing is suspected of.

        `wide`: suspects are many batches, most of them innocent, so each is tried as a whole first.
        """
        if not payload.get("suspects"):
            return None
        homes = [home_of(type(workspace.declared(recipe))) for recipe in recipes]
        trial = Trial(workspace.settings)
        return Isolation(payload["suspects"], trial, recipes, crumb, payload["deadlines"], homes, wide=wide)

    def __call__(self, step: int, chunk: Chunk) -> dict[int, str]:
        """Return the rows of the chunk to exclude from this step, each with the reason.

        Raises OperatorError for an operator that dies on one row after the other, ExecutorError where the batch
        keeps dying and no single row does.
        """
        low, high = int(chunk.rows.min()), int(chunk.rows.max())
        if not any(suspect == step and first <= high and low <= last for suspect, first, last in self._suspects):
            return {}
        self._crumb.put(READ)
        self._trial.deadline = self._deadlines[step] if step < len(self._deadlines) else None
        # A model is tried on the CPU: its GPU, if it has one, belongs to the actors.
        recipe = {**self._recipes[step], "device": "cpu"}
        # One that raises may do so in front of one that dies: then its rows are tried one by one all the same.
        if self._wide and self._trial.whole(recipe, chunk) == "ok":
            return {}
        excluded: dict[int, str] = {}
        how: str | None = None
        remaining, passed, streak, fruitless = np.arange(len(chunk)), 0, 0, 0
        while len(remaining) and fruitless < _PATIENCE:
            position = self._first_death(recipe, chunk, remaining, passed)
            if position is None:
                how = self._trial.whole(recipe, _take(chunk, remaining))
                if how in _SURVIVED:
                    return excluded
                # No row that passed before is above suspicion now.
                passed, fruitless = 0, fruitless + 1
                continue
            row = chunk.slice(int(remaining[position]), int(remaining[position]) + 1)
            how = self._alone(recipe, row)
            if how is None:
                fruitless += 1
                continue
            streak = streak + 1 if position == passed and excluded else 1
            if streak >= NEIGHBOURS:
                raise _unsound(recipe, self._named(row), how, streak, self._homes[step] if self._homes else "")
            excluded[int(row.rows[0])] = how
            remaining, passed = self._without(recipe, remaining, position, how)
            fruitless = 0
        if len(remaining):
            raise _unclear(recipe, chunk, how, self._advice(recipe, step))
        return excluded

    def _advice(self, recipe: Any, step: int) -> str:
        """Say what to do where a batch dies and none of its rows; how many are tried at once is fixed where `wide`."""
        if not self._wide:
            return "lower --batch-bytes or raise `limits: {deadline: …}`"
        return f"{check_command(recipe['uses'], self._homes[step])}; mend it or raise `limits: {{deadline: …}}`"

    def _named(self, row: Chunk) -> str:
        """Name what a row stands for."""
        return _documents(row)

    def _without(self, recipe: Any, remaining: Any, position: int, how: str) -> tuple[Any, int]:
        """Return what is left to try without the row at a position, which died, and how much of it is known to live."""
        return np.delete(remaining, position), position

    def _first_death(self, recipe: Any, chunk: Chunk, remaining: Any, passed: int) -> int | None:
        """Return the position in `remaining` of the first row that dies, knowing that `passed` rows do not."""
        if passed == len(remaining):
            return None
        found = self._trial.first_death(recipe, _take(chunk, remaining[passed:]))
        return None if found is None else passed + found

    def _alone(self, recipe: Any, row: Chunk) -> str | None:
        """Return how a row dies by itself, again and again and each time the same way; None if it does not."""
        deaths: list[str] = []
        while len(deaths) < SOLITARY_DEATHS:
            deaths.append(self._trial.whole(recipe, row))
            if deaths[-1] in _SURVIVED or deaths[-1] != deaths[0]:
                return None
        return deaths[0]


class Trial:
    """Asks a template process to run an operator on a batch in a fresh child, and says how the child ended.

    `deadline`: seconds of one call. A question whose child or template is killed from outside is asked again; raises
    ExecutorError when that goes on.
    """

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = dict(settings)
        self.deadline: float | None = None
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
        header = {"recipe": dict(recipe), "bytes": len(data), "by_row": by_row, "deadline": self.deadline}
        header["memory"] = memory_limit(self._settings)
        for _ in range(_KILLS):
            try:
                line = self._exchange(orjson.dumps(header) + b"\n" + data)
            except OSError:
                line = b""
            # A template killed in the middle of its answer leaves half a line.
            if not line.endswith(b"\n"):
                self._stop()
                continue
            answer: dict[str, Any] = orjson.loads(line)
            if answer["status"] != OUTSIDE:
                return answer
        raise _killed(recipe, chunk)

    def _exchange(self, question: bytes) -> bytes:
        if self._template is None:
            # -P: the folder the run was started in is no place to import from.
            command = [sys.executable, "-P", "-m", "corpusmill.runner.isolated"]
            self._template = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            question = orjson.dumps(self._settings) + b"\n" + question
        assert self._template.stdin is not None and self._template.stdout is not None
        self._template.stdin.write(question)
        self._template.stdin.flush()
        return self._template.stdout.readline()

    def _stop(self) -> None:
        template, self._template = self._template, None
        if template is not None:
            template.kill()
            template.wait()
            for stream in (template.stdin, template.stdout):
                if stream is not None:
                    _close(stream)


def _close(stream: Any) -> None:
    with contextlib.suppress(OSError):  # what was still to be written has no reader any more
        stream.close()


def expect_alive(trial: Trial, recipe: Mapping[str, Any], nothing: Chunk, seconds: float | None, home: str) -> None:
    """Raise OperatorError for an operator that dies of a batch without rows: none of them is to blame then."""
    trial.deadline = seconds
    how = trial.whole({**recipe, "device": "cpu"}, nothing)
    if how not in _SURVIVED:
        raise OperatorError(
            f"{recipe['uses']} {how} on no documents at all, in a process of its own",
            where=f"step {recipe['step']} ({recipe['uses']})",
            expected="an operator that can be given no documents",
            hint=check_command(recipe["uses"], home),
        )


def _unsound(recipe: Mapping[str, Any], named: str, how: str, streak: int, home: str) -> OperatorError:
    return OperatorError(
        f"{recipe['uses']} {how} on {streak} documents in a row, each alone in a process of its own",
        where=f"step {recipe['step']} ({recipe['uses']}), {named}",
        expected="an operator that fails on few documents; these look like a fault of the operator",
        hint=check_command(recipe["uses"], home),
    )


def _killed(recipe: Mapping[str, Any], chunk: Chunk) -> ExecutorError:
    return ExecutorError(
        f"the process that tries suspect documents of {recipe['uses']} was killed {_KILLS} times (signal 9)",
        where=f"step {recipe['step']} ({recipe['uses']}), {_documents(chunk)}",
        expected="no kills from outside, and memory for one more process: for a SIGKILL no document is excluded",
        hint="check memory (dmesg, ulimit), then run the same command; finished work is kept",
    )


def _unclear(recipe: Mapping[str, Any], chunk: Chunk, how: str | None, advice: str) -> ExecutorError:
    return ExecutorError(
        f"{recipe['uses']} keeps dying on a batch of {len(chunk)} documents ({how or 'in different ways'}), "
        "but on none of them alone",
        where=f"step {recipe['step']} ({recipe['uses']}), {_documents(chunk)}",
        expected="a batch that fits the machine's memory and the step's deadline, and no kills from outside",
        hint=f"{advice}, then run the same command; finished work is kept",
    )


def _documents(chunk: Chunk) -> str:
    """Name a document by its id, several by their rows."""
    index = chunk.batch.schema.get_field_index("id")
    if len(chunk) == 1 and index >= 0:
        return f"document {chunk.batch.column(index)[0].as_py()}"
    if not len(chunk):
        return "no document"
    return f"rows {chunk.rows.min()} to {chunk.rows.max()} of the shard"


def _take(chunk: Chunk, positions: Any) -> Chunk:
    return Chunk(chunk.batch.take(pa.array(positions)), chunk.rows[positions])


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()
