"""Options to try an operator with: its defaults, what a sample can stand in for, and small counts for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from corpusmill.errors import UsageError
from corpusmill.plugin.describe import type_words
from corpusmill.testing.formats import sample_files
from corpusmill.testing.samples import Samples

_MOST = 12
"""Counts of trainers (steps, batches, lengths) are cut down to this: a check is not a training."""
_PLACES = ("file", "path", "folder", "list", "lexicon")


def settle(operator: Any, given: Mapping[str, Any], samples: Samples) -> Any:
    """Return valid options: those given, the defaults, and guesses for what has no default.

    Raises UsageError where no guess is valid; the author then names options.
    """
    model = operator.Options
    values = {**_small(operator, model), **_required(operator, model, samples), **given}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = [detail for detail in error.errors(include_url=False) if detail["loc"]]
        if not wrong:
            for more in _guesses(model, values):
                try:
                    return model.model_validate({**values, **more})
                except ValidationError:
                    continue
        raise UsageError(
            f"no options found to try {operator.__name__} with: {_words(error)}",
            expected="defaults that are valid, or options given to the check",
            hint="corpusmill plugins check … --with OPTION=VALUE; in a test: options={…}",
        ) from error


def alternatives(options: BaseModel, name: str) -> Iterator[BaseModel]:
    """Yield valid options that differ from these in one option, at most three of them."""
    field, value = type(options).model_fields[name], getattr(options, name)
    found = 0
    for other in _others(field.annotation, value):
        try:
            changed = type(options).model_validate({**options.model_dump(), name: other})
        except ValidationError:
            continue
        if getattr(changed, name) != value and found < 3:
            found += 1
            yield changed


def affects_result(field: FieldInfo) -> bool:
    """True unless the option says that it cannot change a byte."""
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("affects_result") is False)


def _others(annotation: Any, value: Any) -> list[Any]:
    choices = [
        one for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal for one in get_args(part)
    ]
    if choices:
        return choices
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value * 2, value + 1, max(1, value // 3)]
    if isinstance(value, float):
        return [value / 2, value * 2, value + 0.125]
    return [7, 0.5] if value is None and type_words(annotation) in ("integer or nothing", "number or nothing") else []


def _required(operator: Any, model: type[BaseModel], samples: Samples) -> dict[str, Any]:
    return {
        name: _stand_in(operator, name, field, samples)
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def _stand_in(operator: Any, name: str, field: FieldInfo, samples: Samples) -> Any:
    """Return a value for an option without a default, by what the operator is and what the help says."""
    help_text = f"{name} {field.description or ''}".lower()
    if operator.kind == "read" and name == "paths":
        return [str(path) for path in sample_files(operator, samples.folder)] or ["none"]
    if operator.kind == "write" and name == "path":
        return str(samples.folder / "written")
    if operator.kind == "load":
        source = samples.tokenizer if operator.output == "tokenizer" else samples.model
        return str(source.path)
    words = type_words(field.annotation)
    if words.startswith(("text", "list of text")):
        text = str(samples.words) if any(word in help_text for word in _PLACES) else "text"
        return [text] if words.startswith("list") else text
    return _plain(field.annotation)


def _plain(annotation: Any) -> Any:
    """Return a small valid-looking value of a type."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    words = type_words(annotation)
    if "column" in words:
        return "text"
    for kind, value in (("integer", 1), ("number", 0.5), ("true or false", True), ("size", 1 << 20), ("duration", 1.0)):
        if words.startswith(kind):
            return value
    return "text"


def _small(operator: Any, model: type[BaseModel]) -> dict[str, Any]:
    """Return smaller counts for what trains: every whole number above 12 becomes 12, or the least it may be."""
    if operator.kind not in ("train", "tokenizer"):
        return {}
    small: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if type(default) is int and default > _MOST:
            least = max((getattr(one, "ge", 0) or 0 for one in field.metadata), default=0)
            small[name] = max(_MOST, int(least))
    return small


def _guesses(model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one, then two optional options set to plain values: models may ask for at least one of several."""
    names = [name for name in model.model_fields if name not in values]
    plain = {name: _plain(_without_none(model.model_fields[name].annotation)) for name in names}
    for count in (1, 2):
        for chosen in combinations(names, count):
            yield {name: plain[name] for name in chosen}


def _without_none(annotation: Any) -> Any:
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return parts[0] if parts and type(None) in get_args(annotation) else annotation


def _words(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg']}" for one in details[:3])
