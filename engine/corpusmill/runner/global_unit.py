"""The unit of global work: runs a trainer, tokenizer, loader, predictor or evaluator in a worker."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusmill.dataset.artifact import publish_artifact
from corpusmill.dataset.hashing import canonical_json
from corpusmill.errors import CorpusmillError
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.folder_work import FolderWork, clear_work
from corpusmill.runner.handles import open_handles
from corpusmill.runner.whole_call import is_disk_full, raised
from corpusmill.runner.workspace import Workspace
from corpusmill.spec.secrets import redact_values


def run_global(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Run the operator and publish what it left; `{"stopped": True}` uncommitted when it was asked to stop."""
    recipe = payload["operator"]
    crumb = Breadcrumb(workspace.crumb_path(key))
    operator = workspace.operator(recipe)
    folder, stop = workspace.scratch / "work" / key, Path(workspace.settings["stop"])
    work = FolderWork(folder, stop, recipe["seed"], recipe["device"], payload["threads"])
    try:
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
    finally:
        shutil.rmtree(work.output, ignore_errors=True)
    record = {"artifact": artifact.digest}
    record = workspace.store.commit(key, record, exact=operator.exact, operators=recipe["uses"])
    clear_work(folder)
    crumb.remove()
    return record


def _call(operator: Any, inputs: Any, work: FolderWork, recipe: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(operator.run(inputs, work) or {})
    except CorpusmillError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work.folder)) from error
        raise raised(recipe, error) from error
