"""Which columns a reader takes: our names and theirs."""

from __future__ import annotations

ColumnMap = dict[str, str]
"""Our name -> the name in the file."""


def column_map(columns: dict[str, str] | list[str] | None, identifier: str | None = None) -> ColumnMap:
    """Return the map an option asks for; `text` always comes first, from `text` unless the option says otherwise.

    `identifier`: the column of the option `id`, which is read even where `columns` does not name it.
    """
    given = columns if isinstance(columns, dict) else {name: name for name in columns or ()}
    named = {"text": given.get("text", "text"), **given}
    return named if identifier is None or identifier in named else {**named, identifier: identifier}
