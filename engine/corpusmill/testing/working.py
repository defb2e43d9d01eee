"""Claims about global operators and packers: a summary, an artifact of its kind, resume, windows inside documents."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim, promised
from corpusmill.testing.comparison import same
from corpusmill.testing.fakes import FakeWork, Killed
from corpusmill.testing.findings import Broken, Fault, NotApplicable
from corpusmill.testing.stable import difference
from corpusmill.testing.trials import LENGTHS, WORK_KINDS, bind_ports, work_result

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_KILL = 4
_STOPS = (1, 3)
"""Questions `should_stop` answers with no before it says yes."""


def check_artifact(bench: Bench) -> Fault | None:
    """The output folder holds what its kind promises, and nothing that runs code when it is opened."""
    made = bench.made()
    names = [name.removeprefix("the file ").strip("'") for name in made if name.startswith("the file ")]
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        return bench.fault(f"it left {pickles[0]!r}: to open a pickle is to run whatever it holds")
    if bench.operator.output == "tokenizer":
        return _check_tokenizer(bench, made)
    if bench.operator.output == "model" and not any(name.endswith(".safetensors") for name in names):
        return bench.fault(f"it left no *.safetensors; its files are {names}")
    if bench.operator.output == "model" and "config.json" not in names:
        return bench.fault(f"it left no config.json; its files are {names}")
    if bench.operator.output == "metrics" and not _numbers(made["the summary"]):
        return bench.fault(f"its metrics hold no number: {made['the summary']!r}")
    return None


def _check_tokenizer(bench: Bench, made: dict[str, Any]) -> Fault | None:
    from tokenizers import Tokenizer

    data = made.get("the file 'tokenizer.json'")
    if data is None:
        return bench.fault("it left no tokenizer.json")
    found = attempt(bench.operator, lambda: Tokenizer.from_str(data.decode()))
    return bench.fault(f"its tokenizer.json cannot be loaded: {found.words}") if isinstance(found, Raised) else None


def _numbers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_numbers(one) for one in value.values())
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_documents(bench: Bench) -> Fault | None:
    """Documents in other batches give the same, and no column is asked for that is not declared."""
    made = bench.made()
    if not any(port.artifact == "documents" for port in bench.operator.ports().values()):
        raise NotApplicable("it takes no documents")
    with tempfile.TemporaryDirectory(prefix="corpusmill-work-") as root:
        inputs = bind_ports(bench, batch_rows=1000)
        found = difference(made, work_result(bench.build(), inputs, FakeWork(Path(root))), exact=bench.exact)
    return bench.fault(f"documents in one large batch gave another result: {found}") if found is not None else None


def check_work_reads(bench: Bench) -> Fault | None:
    """It asks only for columns that reads() or its ports name."""
    bench.made()
    with tempfile.TemporaryDirectory(prefix="corpusmill-work-") as root:
        inputs = bind_ports(bench, only=True)
        found = attempt(bench.operator, lambda: work_result(bench.build(), inputs, FakeWork(Path(root))))
    if isinstance(found, Raised):
        return Fault(f"with the declared columns alone it raised {found.words}", where=found.where)
    return None


def check_inputs(bench: Bench) -> Fault | None:
    """The folders of tokenizers and models that it was given are as they were."""
    bench.made()
    before, now = bench.samples_before, bench.samples.files()
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if not changed:
        return None
    bench.samples.restore(before)
    return bench.fault(f"it changed the file {changed[0]!r} of an input")


def check_resume(bench: Bench) -> Fault | None:
    """Stopped after some steps and started again, training gives the bytes of an uninterrupted one."""
    made = bench.made()
    fault = _check_killed(bench, made)
    if fault is not None:
        return fault
    for stop in _STOPS:
        with tempfile.TemporaryDirectory(prefix="corpusmill-work-") as name:
            root = Path(name)
            halted = FakeWork(root, stop_after=stop)
            summary = dict(bench.build().run(bind_ports(bench), halted) or {})
            if not summary.get("stopped"):
                return bench.fault(_unheard(halted, stop), shown=_question(stop))
            resumed = work_result(bench.build(), bind_ports(bench), FakeWork(root))
        found = difference(made, resumed)
        if found is not None:
            seen = f"stopped and resumed, it gave another result than without: {found}"
            return bench.fault(seen, shown=_question(stop))
    return None


def _check_killed(bench: Bench, made: dict[str, Any]) -> Fault | None:
    """A process that dies between two steps leaves only what was checkpointed, and that is enough."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-work-") as name:
        with suppress(Killed):
            bench.build().run(bind_ports(bench), FakeWork(Path(name), kill_after=_KILL))
        found = difference(made, work_result(bench.build(), bind_ports(bench), FakeWork(Path(name))))
    if found is None:
        return None
    return bench.fault(
        f"killed and started again, it gave another result: {found}", shown=f"a kill at question {_KILL + 1}"
    )


def _question(stop: int) -> str:
    return f"work.should_stop() says yes at question {stop + 1}"


def _unheard(work: FakeWork, stop: int) -> str:
    if not work.asked:
        return "it never asked work.should_stop()"
    if work.asked <= stop:
        return f"it asked work.should_stop() {work.asked} times in all: too seldom to be stopped"
    return "it was told to stop and did not return {'stopped': True}"


def check_windows(bench: Bench) -> Fault | None:
    """Windows are numbered from 0, sorted, lie inside their documents, and hold at most window() + 1 ids."""
    plan = bench.made()
    rows = list(zip(plan["window"], plan["document"], plan["start"], plan["stop"], strict=True))
    if rows != sorted(rows, key=lambda row: row[0]):
        return bench.fault("the plan is not sorted by window")
    if sorted({row[0] for row in rows}) != list(range(len({row[0] for row in rows}))):
        return bench.fault("windows are not numbered from 0 without gaps")
    held: dict[int, int] = {}
    for window, document, start, stop in rows:
        if not (0 <= document < len(LENGTHS) and 0 <= start < stop <= LENGTHS[document]):
            seen = f"window {window} takes [{start}, {stop}) of document {document}"
            return bench.fault(f"{seen}, which is not inside it", shown=json.dumps(LENGTHS))
        held[window] = held.get(window, 0) + stop - start
    most = max(held.values(), default=0)
    if most > bench.one.window() + 1:
        return bench.fault(f"a window holds {most} ids; window() is {bench.one.window()}", shown=json.dumps(LENGTHS))
    empty = attempt(bench.operator, lambda: [len(part) for part in bench.one.windows(_no_lengths())])
    if isinstance(empty, Raised):
        return Fault(f"no documents raised {empty.words}", "[]", empty.where)
    return None if same(list(empty), [0, 0, 0, 0]) else bench.fault("no documents gave windows", shown="[]")


def _no_lengths() -> Any:
    import numpy as np

    return np.zeros(0, np.int64)


def check_sources(bench: Bench) -> Fault | None:
    """A loader names what it loads, so that its content enters the fingerprint."""
    sources = bench.build(set_up=False).sources()
    if isinstance(sources, str) or not sources:
        raise Broken("sources", f"sources() is {sources!r}")
    return None


CLAIMS = (
    Claim(
        "summary",
        "run() returns a mapping that JSON can say",
        "return plain numbers, texts, lists and mappings (float(value), not a tensor)",
        promised,
        WORK_KINDS,
    ),
    Claim(
        "artifact",
        "work.output holds what the kind promises: tokenizer.json, or config.json and safetensors, or metrics",
        "save with save_pretrained or safetensors; never with pickle or torch.save",
        check_artifact,
        WORK_KINDS,
    ),
    Claim(
        "documents",
        "results do not depend on how documents are batched",
        "count and train over rows, not over batches",
        check_documents,
        WORK_KINDS,
        ("memory",),
    ),
    Claim(
        "reads",
        "an operator reads no column that reads() or its ports do not name",
        "name the column in reads(), so that the plan can check that a step before makes it",
        check_work_reads,
        WORK_KINDS,
        ("memory",),
    ),
    Claim(
        "inputs",
        "what a port is bound to stays as it is",
        "copy files to work.output before changing them",
        check_inputs,
        WORK_KINDS,
        ("memory",),
    ),
    Claim(
        "resume",
        "training that is stopped and started again gives the same bytes as one that was not",
        "ask work.should_stop() every step, save all state with work.checkpoint, start from work.latest_checkpoint()",
        check_resume,
        ("train",),
        ("memory",),
    ),
    Claim(
        "sources",
        "a loader names the files it loads",
        "return the path options from sources()",
        check_sources,
        ("load",),
    ),
    Claim(
        "windows",
        "windows are numbered from 0, sorted, inside their documents, and hold at most window() + 1 ids",
        "return int64 arrays (window, document, start, stop) sorted by window",
        check_windows,
        ("tokens",),
    ),
)
