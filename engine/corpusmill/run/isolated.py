"""The template process of isolation: reads questions on stdin, forks a child for each, tells how the child ended."""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa

from corpusmill.run.applied import APPLY
from corpusmill.run.chunk import Chunk
from corpusmill.run.workspace import Workspace

_RAISED, _DEADLINE = 3, 1
"""Exit codes of a child: its operator raised; `faulthandler` ended it at its deadline."""
_FINISHED = 2**64 - 1


def main() -> None:
    """Serve until stdin ends. Operators may print: the protocol has descriptors of its own."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    workspace = Workspace(orjson.loads(questions.readline()))
    while line := questions.readline():
        header = orjson.loads(line)
        batch = pa.ipc.open_stream(questions.read(header["bytes"])).read_next_batch()
        operator = workspace.operator(header["recipe"])
        answers.write(orjson.dumps(_fork(operator, batch, header)) + b"\n")
        answers.flush()


def _fork(operator: Any, batch: pa.RecordBatch, header: dict[str, Any]) -> dict[str, Any]:
    """Run the operator in a child; `row` is the last row it announced."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run_child(operator, batch, header, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        announced = stream.read()
    _, status = os.waitpid(child, 0)
    last = int.from_bytes(announced[-8:], "little") if announced else 0
    finished = last == _FINISHED
    return {"status": _how(status, finished), "row": 0 if finished else last}


def _run_child(operator: Any, batch: pa.RecordBatch, header: dict[str, Any], writing: int) -> None:
    """Announce each piece before it runs, and the end: an operator that exits by itself never says the last word."""
    pieces = [(row, 1) for row in range(batch.num_rows)] if header["by_row"] else [(0, batch.num_rows)]
    raised = False
    with open(os.devnull, "w") as nowhere:
        for start, count in pieces:
            os.write(writing, start.to_bytes(8, "little"))
            raised |= not _call(operator, batch.slice(start, count), header["deadline"], nowhere)
    os.write(writing, _FINISHED.to_bytes(8, "little"))
    os._exit(_RAISED if raised else 0)


def _call(operator: Any, batch: pa.RecordBatch, deadline: float | None, nowhere: IO[str]) -> bool:
    """Run the operator on a batch; False when it raised."""
    if deadline is not None:
        faulthandler.dump_traceback_later(deadline, exit=True, file=nowhere)
    try:
        APPLY[operator.kind](operator, Chunk(batch, np.arange(batch.num_rows, dtype=np.int64)))
    except (Exception, SystemExit):
        return False
    finally:
        faulthandler.cancel_dump_traceback_later()
    return True


def _how(status: int, finished: bool) -> str:
    if os.WIFSIGNALED(status):
        return f"crashed (signal {os.WTERMSIG(status)})"
    code = os.WEXITSTATUS(status)
    if finished:
        return "raised" if code == _RAISED else "ok"
    return "passed its deadline" if code == _DEADLINE else f"exited with code {code}"


if __name__ == "__main__":
    main()
