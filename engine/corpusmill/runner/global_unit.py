"""The unit of global work: runs a trainer, tokenizer, loader, predictor or evaluator in a worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from corpusmill.dataset.artifact import publish_artifact
from corpusmill.dataset.hashing import canonical_json, hash_json
from corpusmill.dataset.local_storage import sync_folder
from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.handles import open_handles
from corpusmill.runner.interrupts import STOP_FILE
from corpusmill.runner.workspace import Workspace
from corpusmill.spec.secrets import redact_values

EVENTS = "events.jsonl"
"""Where work says how it goes; the driver on the same machine reads along."""


class FolderWork:
    """The `Work` of a global operator: a folder under the store's scratch, named by the work's key.

    What `unit` and `checkpoint` leave there is whole or not there at all, so a killed worker's successor goes on.
    """

    def __init__(self, folder: Path, scratch: Path, seed: int, device: str, threads: int):
        self.folder, self.output = folder, folder / "output"
        self.seed, self.device, self.threads = seed, device, threads
        self._stop = scratch / STOP_FILE
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)

    def unit(self, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder that `make` filled under this key, now or before a restart."""
        return self._once(self.folder / "units" / hash_json(key), make)

    def metrics(self, step: int, **values: float) -> None:
        """Record numbers."""
        self._tell({"step": step, "values": values})

    def progress(self, done: int, total: int) -> None:
        """Say how far the work is."""
        self._tell({"done": done, "total": total})

    def should_stop(self) -> bool:
        """True once the user asked to stop."""
        return self._stop.exists()

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        """Publish a checkpoint: built apart, synced, renamed; older ones go afterwards."""
        folder = self.folder / "checkpoints"
        kept = self._once(folder / f"{step:012d}", save)
        for old in sorted(folder.iterdir()):
            if old.is_dir() and old.name.isdigit() and old != kept:
                shutil.rmtree(old)

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint."""
        folder = self.folder / "checkpoints"
        names = sorted(one.name for one in folder.iterdir() if one.name.isdigit()) if folder.is_dir() else []
        return folder / names[-1] if names else None

    def _once(self, target: Path, make: Callable[[Path], None]) -> Path:
        if target.is_dir():
            return target
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        make(beside)
        for path in sorted(beside.rglob("*")):
            if path.is_file():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
        os.replace(beside, target)
        sync_folder(target.parent)
        return target

    def _tell(self, event: Mapping[str, Any]) -> None:
        with (self.folder / EVENTS).open("ab") as stream:
            stream.write(orjson.dumps(event, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


def run_global(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Run the operator and publish what it left; `{"stopped": True}` uncommitted when it was asked to stop."""
    recipe = payload["operator"]
    crumb = Breadcrumb(workspace.crumb_path(key))
    operator = workspace.operator(recipe)
    folder = workspace.scratch / "work" / key
    work = FolderWork(folder, workspace.scratch, recipe["seed"], recipe["device"], payload["threads"])
    inputs = open_handles(workspace, payload["inputs"])
    crumb.put(OPERATOR)
    summary = _call(operator, inputs, work, recipe)
    crumb.put(READ)
    if summary.get("stopped"):
        return {"stopped": True}
    summary = redact_values(summary, workspace.secrets)
    if operator.output == "metrics":
        (work.output / "metrics.json").write_bytes(canonical_json(summary))
    artifact = publish_artifact(workspace.store, operator.output, work.output, summary)
    record = {"artifact": artifact.digest}
    record = workspace.store.commit(key, record, exact=operator.exact, operators=recipe["uses"])
    _clear(folder)
    crumb.remove()
    return record


def _clear(folder: Path) -> None:
    """Remove what the work left but its events: the driver, who reads them now and then, may not have seen the last."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != EVENTS:
            path.unlink(missing_ok=True)


def _call(operator: Any, inputs: Any, work: FolderWork, recipe: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(operator.run(inputs, work) or {})
    except CorpusmillError:
        raise
    except Exception as error:
        import traceback

        last = traceback.extract_tb(error.__traceback__)[-1]
        raise OperatorError(
            f"{recipe['uses']} raised {type(error).__name__}: {error}",
            where=f"step {recipe['step']}, {Path(last.filename).name}:{last.lineno} in {last.name}",
            hint=f"corpusmill plugins show {recipe['uses']}",
        ) from error
