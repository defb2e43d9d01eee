"""Options as JSON Schema, for editors: all that the check accepts, with the help that `plugins show` prints."""

from __future__ import annotations

import types
from enum import Enum
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from corpusmill.plugin import json_shape
from corpusmill.plugin.describe import OptionText, describe_option
from corpusmill.plugin.json_shape import Schema, Shape
from corpusmill.spec.units import parse_duration, parse_size

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_SCALARS = {
    str: json_shape.TEXT,
    bool: json_shape.LENIENT_TRUTH,
    type(None): json_shape.NOTHING,
    SecretStr: json_shape.SUBSTITUTED,
}
_QUANTITIES = {parse_size: json_shape.SIZE_TEXT, parse_duration: json_shape.DURATION_TEXT}


class OptionSchemas:
    """Schemas of option models; each model stands once in `definitions`, so models may hold themselves.

    A type that has no words here (a stranger's own) allows anything: an editor must not refuse what the check takes.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[type[BaseModel], str] = {}

    def reference(self, model: type[BaseModel], name: str) -> Schema:
        """Return the reference to a model's schema, which gets this name unless it has one."""
        if model not in self._names:
            free = name if name not in self.definitions else f"{name}-{len(self.definitions)}"
            self._names[model] = free
            self.definitions[free] = {}  # taken, before a model that holds itself asks for it
            self.definitions[free] = self._model(model, free)
        return {"$ref": f"#/definitions/{self._names[model]}"}

    def _model(self, model: type[BaseModel], name: str) -> Schema:
        fields = {field.alias or own: (own, field) for own, field in model.model_fields.items()}
        required = [shown for shown, (_, field) in fields.items() if field.is_required()]
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {shown: self._field(own, field, f"{name}.{own}") for shown, (own, field) in fields.items()},
            **({"required": required} if required else {}),
        }

    def _field(self, name: str, field: FieldInfo, place: str) -> Schema:
        schema = self._shape(field.annotation, field.metadata, place).schema()
        schema = {"allOf": [schema]} if "$ref" in schema else schema  # draft 7 is deaf to words beside a $ref
        told = describe_option(name, field)
        # Not of the standard: what the YAML language server says instead of showing the pattern.
        expected = {"patternErrorMessage": f"Expected {told.kind}."} if "pattern" in schema else {}
        default = {"default": told.default} if not told.required and told.default is not None else {}
        return {"description": describe(told), **schema, **expected, **default}

    def _shape(self, annotation: Any, metadata: Any, place: str) -> Shape:
        origin, inner = get_origin(annotation), get_args(annotation)
        pattern = next((_QUANTITIES[one.func] for one in metadata if getattr(one, "func", None) in _QUANTITIES), None)
        if pattern is not None:
            return json_shape.quantity(pattern, **_bounds(metadata))
        if annotation in (int, float):
            kind = "integer" if annotation is int else "number"
            return json_shape.number(kind, lenient=True, **_bounds(metadata))
        if origin is Annotated:
            return self._shape(inner[0], (*inner[1:], *metadata), place)
        if origin in (Union, types.UnionType):
            return reduce(or_, [self._shape(one, metadata, place) for one in inner])
        return self._container(annotation, origin, inner, place)

    def _container(self, annotation: Any, origin: Any, inner: tuple[Any, ...], place: str) -> Shape:
        if origin is Literal:
            return json_shape.choice(inner)
        if origin in (list, set, frozenset) or (origin is tuple and inner[1:] == (...,)):
            return json_shape.sequence(self._shape(inner[0], (), place).schema())
        if annotation in (list, tuple, set, frozenset) or origin is tuple:
            return json_shape.sequence({})
        if annotation is dict or origin is dict:
            return json_shape.mapping(self._shape(inner[1], (), place).schema() if inner else {})
        if not isinstance(annotation, type):
            return json_shape.ANYTHING
        if issubclass(annotation, BaseModel):
            return json_shape.whole(self.reference(annotation, place))
        if issubclass(annotation, Enum):
            return json_shape.choice(one.value for one in annotation)
        return _SCALARS.get(annotation, json_shape.ANYTHING)


def describe(option: OptionText) -> str:
    """One option in words: help, then type, range, unit and default."""
    return f"{option.sentence}\n\n{option.kind[:1].upper()}{option.kind[1:]}; {option.standing}."


def _bounds(metadata: Any) -> dict[str, float]:
    found = [(word, getattr(one, name, None)) for one in metadata for name, word in _BOUNDS.items()]
    return {word: bound for word, bound in found if isinstance(bound, (int, float))}
