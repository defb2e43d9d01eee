"""Input files of a reader: found, prepared, cut and hashed, with an index that saves hashing them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.note import note_of, read_note
from corpusmill.dataset.store import Store, make_key
from corpusmill.errors import CorruptFile, DamagedFiles
from corpusmill.plan.stages import Stage
from corpusmill.runner.files import LocalFile
from corpusmill.runner.promises import Checksums, expect_files, find_inputs, read_checksums
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.shards import Range, group_ranges
from corpusmill.runner.unit import Done, Unit

_BATCH_BYTES = 256 << 20
_BATCH_FILES = 500
_PROMISES = ("checksums", "expect")
"""Options of every reader that say nothing about how files are cut."""


def find_shards(
    session: Session, stage: Stage, reader: Any, recipe: dict[str, Any]
) -> tuple[list[list[Range]], list[dict[str, Any]]]:
    """Return the shards of a reader's input in order, and the files left out because they cannot even be cut.

    Damage is told at the end of the stage, when reading has found all of it: people mend files once.
    """
    files = find_inputs(reader, session.base)
    expect_files(session.checked.spec, stage.steps[0], files)
    listed = read_checksums(reader, session.base)
    damaged: list[dict[str, Any]] = []
    if listed is not None:
        faults = listed.faults(files, reader.options.paths, session.base)
        damaged += [_entry(stage, name, reason, None) for name, reason in faults]
        session.noticed.extend(damaged)
        files = [file for file in files if file.path in listed.digests]
    index = FileIndex(session.store, recipe, reader)
    promised = listed.digests if listed is not None else {}
    known = {file.name: ranges for file in files if (ranges := index.get(file, promised.get(file.path))) is not None}
    units = list(_units([file for file in files if file.name not in known], recipe, listed))
    if units:
        # Observers hear of the stage when its shards are known; looking at files is not one of its shards.
        progress = StageProgress(stage.id, [], "identify", len(units), silent=True)

        def done(unit: Unit, result: Done) -> None:
            found = [_entry(stage, *one) for one in result.record["damaged"]]
            damaged.extend(found)
            session.noticed.extend(found)
            for ranges in result.record["files"]:
                known[ranges[0][0]] = [Range(*one) for one in ranges]

        session.run(stage, progress, units, done)
        index.put(files, known, promised)
    shards = group_ranges((known[file.name] for file in files if file.name in known), reader.options.shard)
    return list(shards), damaged


def forget_files(session: Session, reader: Any, recipe: dict[str, Any]) -> None:
    """Forget what is known of a reader's files, so that the next run looks at all of them again."""
    FileIndex(session.store, recipe, reader).forget()


def prepare_reader(session: Session, stage: Stage, reader: Any) -> None:
    """Let the reader look at its files once (to infer a schema)."""
    files = find_inputs(reader, session.base)
    while True:
        try:
            reader.prepare(files)
            return
        except CorruptFile as error:
            session.noticed.append(_entry(stage, error.name, error.reason, error.offset))
            report_damaged(session, stage, session.noticed[-1:], final=False)
            left = [file for file in files if file.name != error.name]
            if len(left) == len(files):  # a reader that names none of them would be asked for ever
                raise
            files = left


def report_damaged(session: Session, stage: Stage, damaged: list[dict[str, Any]], *, final: bool = True) -> None:
    """List damaged files apart; raise DamagedFiles where the spec wants damage to fail the run."""
    if not damaged:
        return
    if stage.steps[0].limits.on_corrupt_file == "fail":
        if not final:
            return
        error = DamagedFiles(damaged)
        session.damaged.extend(error.damaged)
        raise error
    known = {(one["step"], one["file"]) for one in session.damaged}
    session.damaged.extend(one for one in damaged if (one["step"], one["file"]) not in known)


def _entry(stage: Stage, file: str, reason: str, offset: int | None) -> dict[str, Any]:
    return {"step": stage.steps[0].id, "file": file, "reason": reason, "offset": offset}


def _units(files: list[LocalFile], recipe: dict[str, Any], listed: Checksums | None) -> Iterator[Unit]:
    batch: list[LocalFile] = []
    held = 0
    for file in files:
        batch.append(file)
        held += file.size
        if held >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield _unit(batch, recipe, listed)
            batch, held = [], 0
    if batch:
        yield _unit(batch, recipe, listed)


def _unit(files: list[LocalFile], recipe: dict[str, Any], listed: Checksums | None) -> Unit:
    payload = {
        "reader": recipe,
        "files": [file.to_json() for file in files],
        "checksums": {file.name: listed.digests[file.path] for file in files} if listed is not None else {},
        "listed": listed.name if listed is not None else "",
    }
    return Unit(make_key("identify", payload["files"], payload["checksums"]), "identify", payload)


class FileIndex:
    """Ranges and hashes by path, size and times: a hint that saves reading; a shard checks the hash as it reads.

    A file whose checksum is promised is known only if it was compared with that checksum.
    """

    def __init__(self, store: Store, recipe: dict[str, Any], reader: Any):
        self._store = store
        # Without secrets: another password finds the same files.
        options = {name: one for name, one in reader.options.model_dump(mode="json").items() if name not in _PROMISES}
        cut = [recipe["uses"], reader.version, reader.counts, options, recipe["base"], reader.options.shard]
        self._name = f"inputs/{hash_json(cut)}.json"
        try:
            self._entries: dict[str, Any] = read_note(store.storage.read(self._name)) or {}
        except FileNotFoundError:
            self._entries = {}

    def get(self, file: LocalFile, promised: str | None = None) -> list[Range] | None:
        """Return a file's ranges if it looks as it did."""
        entry = self._entries.get(file.path)
        if entry is None or entry[:3] != _looks(file):
            return None
        if promised is not None and entry[4:] != [promised]:
            return None
        return [Range(*one) for one in entry[3]]

    def recorded(self, path: str) -> list[Range] | None:
        """Return a file's ranges as they were last seen, whatever it looks like now."""
        entry = self._entries.get(path)
        return None if entry is None else [Range(*one) for one in entry[3]]

    def put(self, files: list[LocalFile], known: dict[str, list[Range]], promised: Mapping[str, str]) -> None:
        """Remember what was found, and the checksums that were compared (by path)."""
        compared = {path: [digest] for path, digest in promised.items()}
        entries = {
            file.path: [
                *_looks(file),
                [one.to_json() for one in known[file.name]],
                *compared.get(file.path, []),
            ]
            for file in files
            if file.name in known
        }
        self._store.note(self._name, note_of(entries))

    def forget(self) -> None:
        """Remove the index."""
        self._store.storage.delete(self._name)


def _looks(file: LocalFile) -> list[int]:
    return [file.size, file.modified, file.changed]
