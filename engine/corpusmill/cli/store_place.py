"""The store that a command about a store works on: named as an argument, as `--store`, or the one in this folder."""

from __future__ import annotations

from corpusmill.errors import UsageError


def existing_store(named: str | None, option: str) -> str:
    """Return the URI of a store; raises UsageError where a folder is named and none is there."""
    from pathlib import Path

    uri = named or option
    if "://" not in uri and not Path(uri).is_dir():
        raise UsageError(f"no store at {uri!r}", expected="the folder of a store", hint="corpusmill status --help")
    return uri
