"""New files from templates: all of them or none, and never over what is there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from corpusmill.errors import UsageError


def template(name: str, **words: str) -> str:
    """Return the text of `templates/NAME.txt` with each `@WORD@` replaced."""
    text = files("corpusmill.cli").joinpath("templates", *f"{name}.txt".split("/")).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def write_new(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files below a folder; raises UsageError, before anything is written, if one of them is there already."""
    there = [name for name in texts if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise UsageError(
            f"{_shown(folder)} already has {', '.join(there)}",
            expected="a new or empty folder: nothing is ever overwritten",
            hint="name another folder",
        )
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"{_shown(folder)} cannot be written to: {error.strerror or error}") from error


def _shown(folder: Path) -> str:
    return "this folder" if folder == Path() else f"the folder {str(folder)!r}"
