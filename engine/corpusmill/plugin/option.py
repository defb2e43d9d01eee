"""How operators declare options: `option(...)` fields with help, range and unit, and two types with units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from corpusmill.spec.units import parse_duration, parse_size

Size = Annotated[int, BeforeValidator(parse_size)]
"""A number of bytes; the spec may say `64 MB` or `2 GiB`."""

Duration = Annotated[float, BeforeValidator(parse_duration)]
"""A number of seconds; the spec may say `500 ms` or `2 h`."""


Secret = SecretStr
"""A password or key: `self.options.token.get_secret_value()`. The spec must say `${env:NAME}` for it; it enters no
fingerprint and is stars wherever options are shown or stored."""


class Options(BaseModel):
    """Base of every operator's options: unknown keys are errors, values do not change after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def option(
    default: Any = ...,
    *,
    help: str,  # noqa: A002 - the word users of click and argparse know
    unit: str | None = None,
    default_factory: Callable[[], Any] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    affects_result: bool = True,
) -> Any:
    """Declare one option; without a default it is required.

    `help` is a phrase for the reference; `unit` names what a number counts (words, bytes, share). An option that
    can only change speed, never a byte of the result, says `affects_result=False` and stays out of fingerprints.
    """
    extra: dict[str, Any] = {"affects_result": affects_result}
    if unit:
        extra["unit"] = unit
    bounds: dict[str, Any] = {
        name: bound for name, bound in (("ge", ge), ("gt", gt), ("le", le), ("lt", lt)) if bound is not None
    }
    if default_factory is not None:
        return Field(default_factory=default_factory, description=help, json_schema_extra=extra, **bounds)
    return Field(default, description=help, json_schema_extra=extra, **bounds)


def revealed(options: BaseModel) -> dict[str, Any]:
    """Return the options as JSON values with secrets in the clear, for the process that builds the operator."""
    values: dict[str, Any] = options.model_dump(mode="json")
    for path, text in secrets_of(options):
        inside: Any = values
        for part in path[:-1]:
            inside = inside[part]
        inside[path[-1]] = text
    return values


def secrets_of(options: BaseModel) -> list[tuple[tuple[str | int, ...], str]]:
    """Return path and text of every secret among the options, those in nested models too."""
    return list(_secrets((), options.model_dump()))


def _secrets(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for part, inside in entries:
        yield from _secrets((*path, part), inside)


def affects_result(options: type[BaseModel], name: str) -> bool:
    """Return False for an option that was declared to change no byte of a result."""
    extra = options.model_fields[name].json_schema_extra
    return not (isinstance(extra, dict) and extra.get("affects_result") is False)
