"""Thrift's compact protocol, as much of it as Parquet's footers and page headers are written in."""

from __future__ import annotations

from typing import Any

DEEPEST = 8

Fields = dict[int, Any]
"""Field number -> value: int, bool, bytes, list, Fields, or None for what is passed over."""


class Compact:
    """Reads values; raises IndexError at the end of the data and ValueError for what no writer writes.

    `most`: items that a list may have.
    """

    def __init__(self, data: bytes, most: int):
        self._data, self._most, self.at = data, most, 0

    def struct(self, depth: int = 0) -> Fields:
        """Return the fields of a struct."""
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        fields: Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                self._bytes(8)
                return None
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                return self._list(depth + 1)
            case 12:
                return self.struct(depth + 1)
        raise ValueError(f"field of kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        if depth > DEEPEST or count > self._most:
            raise ValueError("a list in which none should be")
        kind = head & 15
        # In a list a truth value takes a byte.
        return [self._value(3 if kind in (1, 2) else kind, depth) for _ in range(count)]

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number without end")

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _bytes(self, size: int) -> bytes:
        if self.at + size > len(self._data):
            raise IndexError
        value = self._data[self.at : self.at + size]
        self.at += size
        return value
