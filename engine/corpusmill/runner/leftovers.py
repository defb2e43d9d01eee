"""Local scratch: what dead workers left there goes when it is old, never at take-over, for its owner may live on."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

OLD = 24 * 3600.0
"""Seconds after which something that nobody touched belongs to nobody."""


def clean_scratch(scratch: Path) -> int:
    """Remove files and folders under scratch that are older than a day, judged by their newest entry; return how many.

    Work folders (`work/KEY`) and breadcrumbs (`crumbs/KEY`) are judged one by one.
    """
    old = old_scratch(scratch, time.time() - OLD)
    for path in old:
        remove(path)
    return len(old)


def old_scratch(scratch: Path, before: float) -> list[Path]:
    """Return what under scratch nobody touched since this time (seconds since the epoch)."""
    found = []
    for folder in (scratch, scratch / "crumbs", scratch / "work"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path not in (scratch / "crumbs", scratch / "work") and _newest(path) <= before:
                found.append(path)
    return found


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _newest(path: Path) -> float:
    """Return the latest change of a file, or of anything inside a folder; now, for what is going this very moment."""
    try:
        inside = [one.lstat().st_mtime for one in path.rglob("*")] if path.is_dir() else []
        return max([path.lstat().st_mtime, *inside])
    except OSError:
        return time.time()
