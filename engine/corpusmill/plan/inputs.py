"""Input files of a spec: those that are missing, globs that match nothing, columns inferred from the first files."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from corpusmill.errors import nearest
from corpusmill.plan.columns import reader_columns
from corpusmill.plan.facts import Facts
from corpusmill.plan.options import find_value
from corpusmill.plugin.global_kinds import Loader
from corpusmill.plugin.reader import InputFile, Reader
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.problems import Problems

_SAMPLE = 8
_MAGIC = "*?["
_LISTED = 10_000


@dataclass
class SampleFile:
    """A local input file, opened only so that a reader can infer its columns."""

    name: str
    path: Path
    size: int

    def open(self) -> IO[bytes]:
        """Open for random access."""
        return self.path.open("rb")


def check_inputs(facts: Facts, base: Path, problems: Problems, *, deep: bool) -> None:
    """Check the files a step names; for a reader, also learn the columns it will make."""
    if isinstance(facts.instance, Reader):
        found = _reader_files(facts, base, problems) if deep else []
        if deep and (listed := cast("Any", facts.options).checksums) is not None:
            _check_file(facts, listed, base, problems)
        _reader_columns(facts, facts.instance, found, base)
    elif deep and facts.instance is not None:
        named = facts.instance.files()
        if isinstance(facts.instance, Loader):
            named = (*named, *facts.instance.sources())
        for value in dict.fromkeys(named):
            _check_file(facts, str(value), base, problems)


def _check_number(facts: Facts, found: list[Path], base: Path, problems: Problems) -> None:
    """Hold the number of files against what `expect` says."""
    options = cast("Any", facts.options)
    if options.expect is None or options.expect.files is None:
        return
    listed = os.path.normpath(absolute(options.checksums, base)) if options.checksums is not None else None
    number = len({os.path.normpath(path) for path in found} - {listed})
    if number != options.expect.files:
        problems.add(
            f"{number:,} file{'' if number == 1 else 's'} found, where `expect` says {options.expect.files:,}",
            facts.step.place("with", "expect", "files"),
            step=facts.id,
            expected=f"as many files in {options.paths!r}",
            hint="look for what is missing or too much, or correct `expect: {files: …}`",
        )


def is_remote(path: str) -> bool:
    """True for paths with a scheme other than `file`, which a check does not touch."""
    return "://" in path and not path.startswith("file://")


def absolute(path: str, base: Path) -> Path:
    """The place a path of the spec means."""
    return base / Path(path.removeprefix("file://")).expanduser()


def _reader_files(facts: Facts, base: Path, problems: Problems) -> list[Path]:
    found: list[Path] = []
    whole = True
    for place, pattern in _patterns(cast("Any", facts.options).paths):
        matches = [] if is_remote(pattern) else matching(pattern, base)
        whole = whole and bool(matches)
        if not matches and not is_remote(pattern):
            mark = facts.step.place("with", *place)
            is_glob = any(letter in pattern for letter in _MAGIC)
            what = f"no file matches {pattern!r}" if is_glob else f"input file {pattern!r} does not exist"
            expected = "at least one file; relative paths start from the spec's folder"
            near = nearest_file(pattern, base)
            problems.add(what, mark, step=facts.id, expected=expected, near=near, hint=_list(pattern, base))
        found += matches
    if whole:  # else more may be elsewhere, or it has been said that some are missing
        _check_number(facts, found, base, problems)
    return found


def matching(pattern: str, base: Path) -> list[Path]:
    """Files that a path, a folder (all files below it) or a glob means, sorted."""
    full = absolute(pattern, base)
    if full.is_dir():  # as the run takes it: nothing hidden
        full = Path(glob.escape(str(full))) / "**" / "*"
    elif full.exists():
        return [full]
    return sorted(path for name in glob.glob(str(full), recursive=True) if (path := Path(name)).is_file())  # noqa: PTH207 - absolute patterns


def _patterns(paths: str | list[str]) -> Iterator[tuple[Place, str]]:
    if isinstance(paths, str):
        yield ("paths",), paths
        return
    for index, path in enumerate(paths):
        yield ("paths", index), path


def _reader_columns(facts: Facts, reader: Reader, found: list[Path], base: Path) -> None:
    """Ask the reader for its columns; one that infers them looks at the first few files."""
    infers = type(reader).prepare is not Reader.prepare
    seen = False
    sample = [path for path in found if path.is_file()][:_SAMPLE]
    if infers and sample:
        files: list[InputFile] = [SampleFile(os.path.relpath(path, base), path, path.stat().st_size) for path in sample]
        try:
            reader.prepare(files)
            seen = True
        except Exception:  # noqa: BLE001 - damaged files are the run's matter: `on_corrupt_file` decides there
            seen = False
    unsure = infers and not (seen and len(sample) == len(found))
    # Names can only grow where the reader takes whatever the files have.
    open_ = unsure and getattr(facts.options, "columns", "all") == "all"
    facts.columns = reader_columns(reader.adds(), guessed=unsure, open_=open_)


def _check_file(facts: Facts, value: str, base: Path, problems: Problems) -> None:
    if is_remote(value) or absolute(value, base).exists():
        return
    place = find_value(facts.step.options, value)
    mark = facts.step.place("with", *place) if place is not None else facts.step.mark
    expected = "an existing file or folder; relative paths start from the spec's folder"
    near, hint = nearest_file(value, base), _list(value, base)
    problems.add(f"{value!r} does not exist", mark, step=facts.id, expected=expected, near=near, hint=hint)


def _list(path: str, base: Path) -> str | None:
    """The command that shows what is there, in the deepest folder that is; from the spec's folder, as the path is."""
    parents = [folder for folder in Path(path).parents if not set(_MAGIC) & set(str(folder))]
    folder = next((folder for folder in parents if (base / folder).is_dir()), None)
    return f"ls {shlex.quote(str(folder))}" if folder is not None else None


def nearest_file(path: str, base: Path) -> str | None:
    """The nearest path that exists: the first part that does not is replaced by a name like it."""
    folder, shown = base, Path()
    for part in Path(path).parts:
        if any(letter in part for letter in _MAGIC):
            return None
        if not (folder / part).exists():
            names = sorted(entry.name for entry in islice(folder.iterdir(), _LISTED)) if folder.is_dir() else []
            near = nearest(part, names)
            return str(shown / near) if near else None
        folder, shown = folder / part, shown / part
    return None
