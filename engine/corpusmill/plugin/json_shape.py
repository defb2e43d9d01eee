"""Small pieces of JSON Schema that join: what a scalar, list or mapping of the spec may be, `${…}` where it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

SUBSTITUTION = r"\$\{(param|env):[A-Za-z_][A-Za-z0-9_-]*\}"
"""`${param:X}` or `${env:X}` anywhere in a text: what comes of it is known only when the spec is read."""


def _any_case(*words: str) -> str:
    """A pattern for words in any case; JavaScript's patterns have no flag for it inside."""
    spelt = ("".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in word) for word in words)
    return "|".join(spelt)


_SIZES = _any_case("b", "kb", "kib", "mb", "mib", "gb", "gib", "tb", "tib", "pb", "pib")
_DURATIONS = _any_case("ms", "s", "m", "min", "h", "d")
_TRUTHS = _any_case("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0")
_NUMBER_TEXT = rf"^\s*[-+]?(\.?[0-9][0-9_.eE+-]*|{_any_case('inf', 'infinity', 'nan')})\s*$"
SIZE_TEXT = rf"^\s*[0-9]+(\.[0-9]+)?\s*({_SIZES})?\s*$"
DURATION_TEXT = rf"^\s*[0-9]+(\.[0-9]+)?\s*({_DURATIONS})?\s*$"
_TRUTH_TEXT = f"^({_TRUTHS})$"


@dataclass(frozen=True)
class Shape:
    """What a value may be: keywords by JSON type (`number` stands for integers too), and whole schemas beside them.

    Texts have a tuple of patterns, of which one must fit; an empty one is any text.
    """

    types: dict[str, Any] = field(default_factory=dict)
    others: tuple[Schema, ...] = ()
    anything: bool = False

    def __or__(self, other: Shape) -> Shape:
        """Either of two shapes; where both bind the same type differently, the second stands beside."""
        types, others = dict(self.types), [*self.others]
        for kind, words in other.types.items():
            have = types.setdefault(kind, words)
            if kind == "string":
                types[kind] = tuple(dict.fromkeys((*have, *words))) if have and words else ()
            elif have != words and _wider(have, words):
                types[kind] = max(have, words, key=lambda one: _BARE.index(one) if one in _BARE else -1)
            elif have != words:
                others.append(_written({kind: words}))
        others += [schema for schema in other.others if schema not in others]
        return Shape(types, tuple(others), self.anything or other.anything)

    def schema(self) -> Schema:
        """The shape as JSON Schema."""
        if self.anything:
            return {}
        alternatives = [*self.others, *([_written(self.types)] if self.types else [])]
        return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


ANYTHING = Shape(anything=True)
TEXT = Shape({"string": ()})
NOTHING = Shape({"null": {}})
SUBSTITUTED = Shape({"string": (SUBSTITUTION,)})
TRUTH = Shape({"boolean": {}, **SUBSTITUTED.types})
# Options are read leniently: `off`, "yes" and 1 are truth values too, and "5" is a number.
LENIENT_TRUTH = Shape({"boolean": {}, "number": {"type": "integer", "minimum": 0, "maximum": 1}}) | Shape(
    {"string": (_TRUTH_TEXT, SUBSTITUTION)}
)


def text(pattern: str) -> Shape:
    """Text that fits a pattern, or has a substitution in it."""
    return Shape({"string": (pattern, SUBSTITUTION)})


def number(kind: str, *, lenient: bool = False, **bounds: float) -> Shape:
    """A number (`kind`: integer or number) within bounds in JSON Schema's words; `lenient`: or its digits as text."""
    texts = (_NUMBER_TEXT, SUBSTITUTION) if lenient else (SUBSTITUTION,)
    return Shape({"number": {"type": kind, **bounds}, "string": texts})


def quantity(pattern: str, **bounds: float) -> Shape:
    """A number not below zero, or one with a unit (`SIZE_TEXT`, `DURATION_TEXT`)."""
    return Shape({"number": {"type": "number", "minimum": 0, **bounds}, "string": (pattern, SUBSTITUTION)})


def choice(values: Iterable[Any]) -> Shape:
    """One of some values, or a substitution."""
    return Shape(SUBSTITUTED.types, ({"enum": list(values)},))


def sequence(items: Schema, **bounds: int) -> Shape:
    """A list, or a param that is one."""
    return Shape({"array": {"items": items, **bounds}, "string": (SUBSTITUTION,)})


def mapping(values: Schema) -> Shape:
    """A mapping with free keys."""
    return Shape({"object": {"additionalProperties": values}})


def whole(schema: Schema) -> Shape:
    """A schema as it is."""
    return Shape(others=(schema,))


_BARE = ({"type": "integer"}, {"type": "number"})


def _wider(left: Schema, right: Schema) -> bool:
    """True where one of two kinds of numbers takes in the other."""
    bare = {"type": "number"} in (left, right)
    return bare or ({"type": "integer"} in (left, right) and left.get("type") == right.get("type") == "integer")


def _written(types: dict[str, Any]) -> Schema:
    """One schema for several types: JSON Schema's keywords each bind one type and leave the others alone."""
    names: list[str] = []
    words: Schema = {}
    for kind, bound in types.items():
        if kind == "string":
            names.append(kind)
            words |= {"pattern": "|".join(bound)} if bound else {}
        else:
            names.append(bound.get("type", kind))
            words |= {name: value for name, value in bound.items() if name != "type"}
    return {"type": names[0] if len(names) == 1 else names, **words}
