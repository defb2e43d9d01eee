"""Which columns a reader takes: our names and theirs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

ColumnMap = dict[str, str]
"""Our name -> the name in the file."""

PLACE = "offset"
"""What every reader makes itself: a document's place in the file at hand, whatever the file has under this name."""


def _without_place(columns: str | dict[str, str] | list[str] | None) -> str | dict[str, str] | list[str] | None:
    if not isinstance(columns, str) and PLACE in (columns or ()):
        raise ValueError(
            f"{PLACE!r} is made by the reader, and says where a document stands in this file: "
            f"take theirs under another name, as in {{their_{PLACE}: {PLACE}}}"
        )
    return columns


ColumnsOption = Annotated[Literal["all"] | dict[str, str] | list[str] | None, AfterValidator(_without_place)]
"""The option `columns` of readers."""


def column_map(columns: dict[str, str] | list[str] | None, identifier: str | None = None) -> ColumnMap:
    """Return the map an option asks for; `text` always comes first, from `text` unless the option says otherwise.

    `identifier`: the column of the option `id`, which is read even where `columns` does not name it.
    """
    given = columns if isinstance(columns, dict) else {name: name for name in columns or ()}
    named = {"text": given.get("text", "text"), **given}
    return named if identifier is None or identifier in named else {**named, identifier: identifier}
