"""Options of a step: validated by the operator's model, its errors told in the words and places of the spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from corpusmill.errors import nearest
from corpusmill.plugin.describe import field_range, field_type, nested_model
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.option import Options, secrets_of
from corpusmill.plugin.tracker import Tracker
from corpusmill.spec.model import Step
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.problems import Problems

_NOTHING = object()
STARS = "**********"
"""What stands in the place of a secret that no variable names."""


def check_options(step: Step, operator: type[Operator | Tracker], problems: Problems) -> Options | None:
    """Return the validated options, or None after recording each error at the value it is about."""
    try:
        options = operator.Options.model_validate(step.options)
    except ValidationError as error:
        details: list[Any] = error.errors(include_url=False)
    else:
        details = [_not_a_number(place) for place in _truths_as_numbers(step.options, options)]
        if not details:
            return options if _secrets_come_from_outside(step, options, problems) else None
    seen: dict[Place, list[dict[str, Any]]] = {}
    for detail in details:
        seen.setdefault(_place(step.options, detail), []).append(dict(detail))
    for place, same in seen.items():
        if _is_told_below(place, same, seen):
            continue
        _record(step, operator, place, same, problems)
    return None


def _secrets_come_from_outside(step: Step, options: Options, problems: Problems) -> bool:
    """Refuse a secret that stands in the spec: the file is copied into every run, and into version control."""
    sound = True
    for place, text in secrets_of(options):
        if text and text not in problems.redacted:
            problems.redacted[text] = STARS
            name = ".".join(map(str, place))
            what = f"option {name} of {step.uses} is a secret, and stands in the spec as plain text"
            hint = f"export {str(place[-1]).upper()}=… and write ${{env:{str(place[-1]).upper()}}}"
            problems.add(what, step.place("with", *place), step=step.id, expected="${env:NAME}", hint=hint)
            sound = False
    return sound


def _is_told_below(place: Place, same: list[dict[str, Any]], seen: Iterable[Place]) -> bool:
    """True for "is not an integer" of a list whose wrong item has its own message: unions report both."""
    types_only = all(detail["type"].endswith("_type") for detail in same)
    return types_only and any(len(other) > len(place) and other[: len(place)] == place for other in seen)


def _truths_as_numbers(given: Any, read: Any) -> Iterator[tuple[Place, Any]]:
    """Where true or false was given and a number came out: pydantic takes them for 1 and 0, a spec means neither."""
    if isinstance(given, bool) and isinstance(read, (int, float)) and not isinstance(read, bool):
        yield (), given
    elif isinstance(given, dict):
        for key, value in given.items():
            below = read.get(key) if isinstance(read, dict) else getattr(read, key, None)
            yield from (((key, *place), found) for place, found in _truths_as_numbers(value, below))
    elif isinstance(given, list) and isinstance(read, (list, tuple)):
        for index, (value, below) in enumerate(zip(given, read, strict=False)):
            yield from (((index, *place), found) for place, found in _truths_as_numbers(value, below))


def _not_a_number(found: tuple[Place, Any]) -> dict[str, Any]:
    place, value = found
    return {"type": "number_type", "loc": place, "msg": "Input should be a number", "input": value}


def find_value(options: Any, value: object) -> Place | None:
    """The path of the first option value that equals `value`, to point at it."""
    if options == value and not isinstance(options, (dict, list)):
        return ()
    entries = options.items() if isinstance(options, dict) else enumerate(options) if isinstance(options, list) else ()
    for key, item in entries:
        below = find_value(item, value)
        if below is not None:
            return (key, *below)
    return None


def _place(options: Any, detail: Any) -> Place:
    """Strip from pydantic's `loc` what is not in the data: the names of union members."""
    place: list[str | int] = []
    value: Any = options
    for index, part in enumerate(detail["loc"]):
        last = index == len(detail["loc"]) - 1
        below = _below(value, part)
        if below is not _NOTHING:
            place.append(part)
            value = below
        elif last and detail["type"] == "missing":
            place.append(part)
    return tuple(place)


def _below(value: Any, part: str | int) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return _NOTHING


def _record(
    step: Step, operator: type[Operator | Tracker], place: Place, same: list[dict[str, Any]], problems: Problems
) -> None:
    name = ".".join(str(part) for part in place)
    kinds = {detail["type"] for detail in same}
    hint = f"corpusmill plugins show {step.uses}"
    if "extra_forbidden" in kinds:
        known = list(_model_at(operator.Options, place[:-1]).model_fields)
        expected = f"one of {', '.join(sorted(known))}" if known else "no options"
        mark = step.key_place("with", *place)
        near = nearest(str(place[-1]), known)
        what = f"unknown option {name!r} of {step.uses}"
        problems.add(what, mark, step=step.id, expected=expected, near=near, hint=hint)
    elif kinds == {"missing"}:
        expected = _expected(operator, place, same)
        problems.add(
            f"option {name!r} is missing", step.place("with", *place), step=step.id, expected=expected, hint=hint
        )
    elif not place:
        for detail in same:
            problems.add(f"options: {_words(detail)}", step.place("with"), step=step.id, hint=hint)
    else:
        value = same[0]["input"]
        choices = [str(one) for detail in same for one in _choices(detail)]
        near = nearest(str(value), choices) if choices else None
        shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "…"
        expected = _expected(operator, place, same)
        mark = step.place("with", *place)
        problems.add(f"option {name} is {shown}", mark, step=step.id, expected=expected, near=near, hint=hint)


def _expected(operator: type[Operator | Tracker], place: Place, same: list[dict[str, Any]]) -> str:
    field = _model_at(operator.Options, place[:-1]).model_fields.get(str(place[-1]))
    if any(detail["type"] == "value_error" for detail in same):
        return "; ".join(dict.fromkeys(_words(detail) for detail in same if detail["type"] == "value_error"))
    if field is None:
        return "; ".join(dict.fromkeys(_words(detail) for detail in same))
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    words = [field_type(field), field_range(field)]
    unit = extra.get("unit")
    text = " ".join(word for word in (*words, f"({unit})" if unit else "") if word)
    return f"{text}: {field.description}" if field.description else text


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model that holds the option at a path; the outermost where the path leaves models."""
    for part in place:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = nested_model(field.annotation) if field is not None else model
        if inner is None:
            return BaseModel
        model = inner
    return model


def _choices(detail: dict[str, Any]) -> list[str]:
    if detail["type"] != "literal_error":
        return []
    text = str(detail.get("ctx", {}).get("expected", ""))
    return [part.strip().strip("'") for part in text.replace(" or ", ", ").split(",") if part.strip()]


def _words(detail: dict[str, Any]) -> str:
    words = str(detail["msg"]).removeprefix("Value error, ").removeprefix("expected ")
    words = words.removeprefix("Input should be ")
    tail = f", not {detail['input']!r}"
    return words.removesuffix(tail).partition(", unable to parse")[0]
