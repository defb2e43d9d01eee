"""Options in words: type, unit, range, default, for messages and for the reference."""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from corpusmill.plugin.row_kinds import FilterOptions
from corpusmill.spec.units import exact_size, parse_duration, parse_size

_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "nothing"}
_WORDS |= {Any: "anything", SecretStr: "secret"}
_QUANTITIES = {parse_size: "size", parse_duration: "duration"}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class OptionText:
    """One option as people read it."""

    name: str
    type: str
    unit: str | None
    range: str
    required: bool
    default: Any
    help: str

    @property
    def kind(self) -> str:
        """Type, range and unit in words: `integer ≥ 0 (words)`."""
        words = self.type if self.default is not None else self.type.removesuffix(" or nothing")
        return " ".join(part for part in (words, self.range, f"({self.unit})" if self.unit else "") if part)

    @property
    def standing(self) -> str:
        """`required`, `optional` or the default."""
        if self.required:
            return "required"
        if self.default is None:
            return "optional"
        if self.type.startswith("size") and isinstance(self.default, int):
            return f"default {exact_size(self.default)}"
        return f"default {json.dumps(self.default, ensure_ascii=False, default=str)}"

    @property
    def sentence(self) -> str:
        """The help with a capital and a full stop."""
        return f"{self.help[:1].upper()}{self.help[1:]}{'' if self.help.endswith('.') else '.'}"


def describe_options(model: type[BaseModel]) -> list[OptionText]:
    """All options of a model, in the order of `option_fields`."""
    return [describe_option(name, field) for name, field in option_fields(model)]


def option_fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Name and field of each option in the order they were declared, those that every filter has last."""
    shared = FilterOptions.model_fields if issubclass(model, FilterOptions) else {}
    return sorted(model.model_fields.items(), key=lambda one: one[0] in shared)


def describe_option(name: str, field: FieldInfo) -> OptionText:
    """One option from its field."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = extra.get("unit")
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    default = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
    return OptionText(
        name=name,
        type=field_type(field),
        unit=str(unit) if unit else None,
        range=field_range(field),
        required=required,
        default=None if default is PydanticUndefined else default,
        help=field.description or "",
    )


def field_type(field: FieldInfo) -> str:
    """The type of a field in the words of the spec."""
    return _quantity(field.metadata) or type_words(field.annotation)


def field_range(field: FieldInfo) -> str:
    """The bounds of a field: `≥ 0, ≤ 1`."""
    found = [(sign, getattr(one, name, None)) for one in field.metadata for name, sign in _SIGNS.items()]
    return ", ".join(f"{sign} {_number(bound)}" for sign, bound in found if bound is not None)


def type_words(annotation: Any) -> str:
    """A type in words: `text`, `list of text`, `one of a, b`, `integer or nothing`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is Annotated:
        return _quantity(inner[1:]) or type_words(inner[0])
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in inner)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin in (list, tuple, set, frozenset):
        return f"list of {type_words(inner[0])}" if inner else "list"
    if origin is dict:
        return f"mapping of text to {type_words(inner[1])}"
    return (
        "mapping" if annotation is dict or _is_model(annotation) else getattr(annotation, "__name__", str(annotation))
    )


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The options model inside a type (optional, in a list or a mapping), if there is exactly one."""
    if _is_model(annotation):
        return annotation  # type: ignore[no-any-return]
    found = {model for part in get_args(annotation) if (model := nested_model(part)) is not None}
    return found.pop() if len(found) == 1 else None


def _number(bound: float) -> str:
    return f"{int(bound):,}" if float(bound).is_integer() else f"{bound:g}"


def _union(inner: tuple[Any, ...]) -> str:
    words = list(dict.fromkeys(type_words(part) for part in inner if part is not type(None)))
    if type(None) in inner:
        words.append("nothing")
    return " or ".join(words)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _quantity(metadata: Any) -> str | None:
    return next((_QUANTITIES[one.func] for one in metadata if getattr(one, "func", None) in _QUANTITIES), None)
