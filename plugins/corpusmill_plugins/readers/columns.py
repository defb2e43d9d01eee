"""Which columns a reader takes: our names and theirs."""

from __future__ import annotations

ColumnMap = dict[str, str]
"""Our name -> the name in the file."""


def column_map(columns: dict[str, str] | list[str] | None) -> ColumnMap:
    """Return the map an option asks for; `text` always comes first, from `text` unless the option says otherwise."""
    if columns is None:
        return {"text": "text"}
    given = columns if isinstance(columns, dict) else {name: name for name in columns}
    return {"text": given.get("text", "text"), **given}
