"""A workbench: a store of its own in a temporary folder, where steps run on a few rows and leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pluggy
import pyarrow as pa

from corpusmill.dataset.artifact import Artifact, artifact_folder
from corpusmill.dataset.manifest import Dataset, Entry, publish_dataset
from corpusmill.dataset.part import PartWriter
from corpusmill.dataset.schema import SPLIT, canonical_schema, conform
from corpusmill.dataset.store import Store
from corpusmill.plan.checked import CheckedSpec
from corpusmill.plugin import hookspecs
from corpusmill.runner.driver import settings_for
from corpusmill.runner.executor import Executor
from corpusmill.runner.inline import DirectExecutor, InlineExecutor
from corpusmill.runner.observers import Observers
from corpusmill.runner.policy import Control
from corpusmill.runner.session import Session


class Workbench:
    """Use it with `with`: the folder and all that is in it go at the end, however it ends.

    No observer hears of what runs here: trackers are told of runs, not of a look at some rows.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="corpusmill-bench-")
        self.store = Store(str(Path(self._folder.name) / "store"))
        self._executors: list[Executor] = []

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for executor in self._executors:
            executor.cancel() if error is not None else executor.close()
        self._folder.cleanup()

    def publish(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Dataset:
        """Make rows a dataset of the bench's store."""
        schema = canonical_schema({field.name: field.type for field in schema})
        writer = PartWriter(self.store, schema)
        labels: dict[str, int] = {}
        for batch in batches:
            conformed = conform(batch, schema)
            writer.write(conformed)
            if SPLIT in schema.names:
                for one in conformed.column(SPLIT).value_counts().to_pylist():
                    if one["values"] is not None:
                        labels[one["values"]] = labels.get(one["values"], 0) + one["counts"]
        return publish_dataset(self.store, schema, [Entry(writer.finish(), None, labels)])

    def borrow(self, source: Store, artifact: Artifact) -> None:
        """Let the bench's store have a model or the like of another store, by links to its files."""
        folder = artifact_folder(source, artifact)
        target = Path(self.store.uri) / artifact.folder
        target.mkdir(parents=True, exist_ok=True)
        for name, _, _ in artifact.files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).symlink_to((folder / name).resolve())
        (target / "manifest.json").write_bytes(source.storage.read(f"{artifact.folder}/manifest.json"))

    def session(self, checked: CheckedSpec, *, isolated: bool = True) -> Session:
        """Return a session that runs stages here: in a forked worker, or in this process."""
        settings = settings_for(self.store, checked)
        settings["scratch"] = str(self.store.storage.scratch())
        executor = InlineExecutor(settings, fork=False) if isolated else DirectExecutor(settings)
        self._executors.append(executor)
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        return Session(checked, self.store, executor, settings, Observers(manager), Control(), Path(self._folder.name))
