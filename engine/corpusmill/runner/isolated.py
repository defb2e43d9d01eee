"""The template process of isolation: reads questions on stdin, forks a child for each, tells how the child ended."""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa

from corpusmill.plugin.resolve import resolve
from corpusmill.runner.applied import TRIED
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.confinement import SELF_KILLED, confine
from corpusmill.runner.parentage import die_with
from corpusmill.runner.postponed import postpone_pandas
from corpusmill.runner.workspace import Workspace

_RAISED = 3
"""Exit code of a child whose operator raised."""
_FINISHED = 2**64 - 1
_FULL = b"\1"
"""Stands behind the announced row once the operator got no more memory."""
OUTSIDE = "killed from outside"
"""The end that says nothing about documents: the out-of-memory killer and people who run machines send SIGKILL."""


def main() -> None:
    """Serve until stdin ends. Operators may print: the protocol has descriptors of its own."""
    die_with(os.getppid())
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    workspace = Workspace(orjson.loads(questions.readline()))
    postpone_pandas()  # or each child imports it, within the deadline of the one call that it is there for
    while line := questions.readline():
        header = orjson.loads(line)
        batch = pa.ipc.open_stream(questions.read(header["bytes"])).read_next_batch()
        _prepare(workspace, header["recipe"])
        answers.write(orjson.dumps(_fork(workspace, batch, header)) + b"\n")
        answers.flush()


def _prepare(workspace: Workspace, recipe: dict[str, Any]) -> None:
    """Do once what all children need; a model is loaded in the child, for its threads would not survive the fork."""
    if recipe.get("artifacts"):
        resolve(workspace.registry.lookup(recipe["uses"]))
    else:
        workspace.operator(recipe)


def _fork(workspace: Workspace, batch: pa.RecordBatch, header: dict[str, Any]) -> dict[str, Any]:
    """Run the operator in a child; `row` is the last row it announced.

    Announcements go through a file: it survives the child, never fills up, and what the operator started itself
    cannot keep it open.
    """
    template = os.getpid()
    with tempfile.TemporaryFile() as announced, tempfile.TemporaryFile() as overdue:
        child = os.fork()
        if child == 0:
            die_with(template)
            _run_child(workspace.operator(header["recipe"]), batch, header, announced.fileno(), overdue)
        _, status = os.waitpid(child, 0)
        last = int.from_bytes(os.pread(announced.fileno(), 8, 0), "little")
        full = os.pread(announced.fileno(), 1, 8) == _FULL
        late = os.fstat(overdue.fileno()).st_size > 0
    finished = last == _FINISHED
    return {"status": _how(status, finished=finished, late=late, full=full), "row": 0 if finished else last}


def _run_child(
    operator: Any, batch: pa.RecordBatch, header: dict[str, Any], announced: int, overdue: IO[bytes]
) -> None:
    """Announce each piece before it runs, and the end: an operator that exits by itself never says the last word."""
    confine(header["memory"])
    pieces = [(row, 1) for row in range(batch.num_rows)] if header["by_row"] else [(0, batch.num_rows)]
    raised = False
    for start, count in pieces:
        os.pwrite(announced, start.to_bytes(8, "little"), 0)
        error = _call(operator, batch.slice(start, count), header["deadline"], overdue)
        if isinstance(error, MemoryError):
            os.pwrite(announced, _FULL, 8)
            os._exit(_RAISED)
        raised |= error is not None
    os.pwrite(announced, _FINISHED.to_bytes(8, "little"), 0)
    os._exit(_RAISED if raised else 0)


def _call(operator: Any, batch: pa.RecordBatch, deadline: float | None, overdue: IO[bytes]) -> BaseException | None:
    """Run the operator on a batch; return what it raised. A call that is overdue leaves its traceback and is ended."""
    if deadline is not None:
        faulthandler.dump_traceback_later(deadline, exit=True, file=overdue)
    try:
        TRIED[operator.kind](operator, Chunk(batch, np.arange(batch.num_rows, dtype=np.int64)))
    except BaseException as error:
        return error
    finally:
        faulthandler.cancel_dump_traceback_later()
    return None


def _how(status: int, *, finished: bool, late: bool, full: bool) -> str:
    if finished:
        return "raised" if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _RAISED else "ok"
    if late:
        return "passed its deadline"
    if full:
        return "ran out of memory"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            return OUTSIDE
        return f"crashed (signal {int(signal.SIGKILL if number == SELF_KILLED else number)})"
    return f"exited with code {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    main()
