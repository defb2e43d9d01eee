"""The quarantine rendered: how many records for which reason, where they stand, and their bytes for a second look."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from corpusmill.errors import StoreError, UsageError
from corpusmill.report.plain import count, table, visible
from corpusmill.runner.bad_records import BadReason, BadRecord, BadRecords
from corpusmill.runner.command import FILE_NAME as COMMAND
from corpusmill.runner.records import RunRecord, list_runs

_WORDS = 100
"""Characters shown of what a record holds and of what was said about it."""


def quarantine_text(record: RunRecord, bad: BadRecords) -> str:
    """Return the list as text, ending with a newline: counts, places of each reason, damaged files, what to type."""
    lines = [f"{visible(record.name)}@{visible(record.timestamp)} ({visible(record.status)}): {_headline(bad)}"]
    if bad.reasons:
        rows = [[count(one.rows), visible(one.step, 32), visible(one.reason, _WORDS)] for one in bad.reasons]
        lines += ["", *table(rows, "r")]
    for reason in bad.reasons:
        lines += _places(reason)
    if bad.damaged:
        rows = [[visible(one["file"]), _at(one), visible(one["reason"], _WORDS)] for one in bad.damaged]
        lines += ["", "damaged files, of which no record was taken", *table(rows)]
    told = _next(record, bad)
    return "\n".join([*lines, *(["", *told] if told else [])]) + "\n"


def quarantine_json(record: RunRecord, bad: BadRecords) -> dict[str, Any]:
    """Return the same as JSON values; `text` is the start of a record, with replacement marks for what is no UTF-8."""
    return {
        "run": record.name,
        "timestamp": record.timestamp,
        "status": record.status,
        "rows": bad.rows,
        "reasons": [
            {
                "step": one.step,
                "reason": one.reason,
                "rows": one.rows,
                "retry": one.again,
                "records": [_record_json(each) for each in one.records],
            }
            for one in bad.reasons
        ],
        "damaged": [dict(one) for one in bad.damaged],
    }


def write_raw(records: Iterable[BadRecord], target: Path) -> tuple[int, int]:
    """Write the kept bytes of records: into one new file, a line each, or into a folder, `000001.raw` and so on.

    Nothing is named after data, nothing is overwritten, and only this user may read it: what is in quarantine was
    looked at by no filter. Returns how many records were written and how many of them are cut (only 4,096 bytes are
    kept). Raises UsageError where something is in the way.
    """
    written = cut = 0
    try:
        if target.is_dir():
            for number, record in enumerate(records, 1):
                _write_new(target / f"{number:06}.raw", [record.raw])
                written, cut = written + 1, cut + (record.length > len(record.raw))
            return written, cut
        with _new_file(target) as stream:
            for record in records:
                stream.write(record.raw + b"\n")
                written, cut = written + 1, cut + (record.length > len(record.raw))
    except FileExistsError as error:
        raise UsageError(
            f"{str(error.filename)!r} exists already",
            expected="a new file, or a folder without raw records",
            hint="take another name for --raw",
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write {str(target)!r}: {error.strerror}", hint="take another place") from error
    return written, cut


def _write_new(path: Path, pieces: Iterable[bytes]) -> None:
    with _new_file(path) as stream:
        stream.writelines(pieces)


def _new_file(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _headline(bad: BadRecords) -> str:
    files = len(bad.damaged)
    damaged = f", {count(files)} damaged file{'s' if files != 1 else ''}" if files else ""
    return f"{count(bad.rows)} record{'s' if bad.rows != 1 else ''} in quarantine{damaged}"


def _places(reason: BadReason) -> list[str]:
    if not reason.records:
        return []
    lines = ["", f"{visible(reason.step, 32)}: {visible(reason.reason, _WORDS)}"]
    for one in reason.records:
        name = f"  id {visible(one.id)}" if one.id else ""
        lines.append(f"  {visible(one.file)} @ {one.offset}  {count(one.length)} bytes{name}")
        lines += [f"      {visible(one.detail, _WORDS)}"] if visible(one.detail, _WORDS) else []
        start = visible(_start(one), _WORDS)
        lines += [f"      | {start}"] if start else []
    left = reason.rows - len(reason.records)
    return [*lines, f"  … {count(left)} more: --limit {reason.rows}"] if left else lines


def _start(one: BadRecord) -> str:
    return one.raw[: 8 * _WORDS].decode("utf-8", "replace")


def _record_json(one: BadRecord) -> dict[str, Any]:
    return {
        "file": one.file,
        "offset": one.offset,
        "length": one.length,
        "id": one.id,
        "detail": one.detail,
        "text": one.raw.decode("utf-8", "replace"),
    }


def _at(one: Mapping[str, Any]) -> str:
    return "" if one.get("offset") is None else f"@ {one['offset']}"


def _next(record: RunRecord, bad: BadRecords) -> list[str]:
    """Say how what steps failed on is tried again: by the run's own command, or by hand where it left none."""
    again = sum(one.rows for one in bad.reasons if one.again)
    if not again:
        return []
    word = "them" if again > 1 else "it"
    if (record.folder / COMMAND).is_file():
        return [f"{count(again)} failed in a step; after a fix, this tries {word} again:", f"  {_retry(record)}"]
    started = next((one.data for one in record.events if one.event == "run_started"), {})
    spec = shlex.quote(visible(started["spec"])) if started.get("spec") else "SPEC"
    told = f"{count(again)} failed in a step; after a fix, the run's command with --retry tries {word} again:"
    return [told, f"  corpusmill run {spec} --retry"]


def _retry(record: RunRecord) -> str:
    """Return the command, as short as it can be typed from here."""
    newest = list_runs(record.folder.parent.parent.parent, record.name)[-1].timestamp == record.timestamp
    name = record.name if newest else f"{record.name}@{record.timestamp}"
    place = visible(record.place)
    return f"corpusmill retry {shlex.quote(visible(name))}{f' {place}' if place else ''}"
