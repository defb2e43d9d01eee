"""From a registered name to its class, checked; three failures told apart: not known, extra missing, import broken."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

from corpusmill.errors import PluginError

if TYPE_CHECKING:
    from corpusmill.plugin.operator import Operator
    from corpusmill.plugin.registry import Registered
    from corpusmill.plugin.tracker import Tracker

_BASES = {
    "read": "reader:Reader",
    "load": "global_kinds:Loader",
    "clean": "row_kinds:Cleaner",
    "filter": "row_kinds:Filter",
    "annotate": "row_kinds:Annotator",
    "augment": "row_kinds:Augmenter",
    "split": "row_kinds:Splitter",
    "dedup": "dedup_kind:Deduplicator",
    "tokenizer": "global_kinds:TokenizerTrainer",
    "tokens": "global_kinds:Packer",
    "train": "global_kinds:Trainer",
    "predict": "global_kinds:Predictor",
    "evaluate": "global_kinds:Evaluator",
    "write": "global_kinds:Writer",
    "mix": "operator:Operator",
    "track": "tracker:Tracker",
}
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def resolve(registered: Registered) -> type[Operator]:
    """Import and check the class of an operator.

    Raises PluginError: its extra is not installed (with the pip command), its import raises (with the cause), the
    class is missing or of another kind, or its options do not forbid unknown keys.
    """
    missing = missing_distributions(registered)
    if missing:
        raise _extra_error(registered, missing)
    operator = _import(registered)
    _check_kind(registered, operator)
    _check_options(registered, operator)
    return operator  # type: ignore[no-any-return]


def resolve_tracker(registered: Registered) -> type[Tracker]:
    """Import and check the class of a tracker; raises as `resolve` does."""
    return resolve(registered)  # type: ignore[return-value]


def missing_distributions(registered: Registered) -> list[str]:
    """Distributions of the operator's extra that are not installed, by metadata alone."""
    owner, extra = registered.origin.distribution, registered.extra
    return list(_missing(owner, extra)) if owner and extra else []


@cache
def _missing(owner: str, extra: str) -> tuple[str, ...]:
    wanted = [line for line in requires(owner) or [] if extra in _EXTRA.findall(line)]
    names = [match.group() for line in wanted if (match := _NAME.match(line))]
    return tuple(sorted(name for name in names if not _is_installed(name)))


def module_name(registered: Registered) -> str:
    """The module of the target; `:Class` and `FILE:Class` in a plugin file mean that file."""
    module = registered.target.partition(":")[0]
    local = registered.origin.local
    if local is not None and module in ("", _stem(registered)):
        return local
    return module


def _import(registered: Registered) -> Any:
    name = registered.target.partition(":")[2]
    try:
        value: Any = import_module(module_name(registered))
    except (Exception, SystemExit) as error:
        raise _import_error(registered, error) from error
    for part in name.split("."):
        value = getattr(value, part, None)
    if not isinstance(value, type):
        raise PluginError(
            f"operator {registered.uses!r} of {registered.owner} has no class {registered.target!r}",
            expected="a target `module:Class` in corpusmill_register",
            hint=f"correct the target in {registered.owner}",
        )
    return value


def _import_error(registered: Registered, error: BaseException) -> PluginError:
    if (
        isinstance(error, ModuleNotFoundError)
        and registered.extra
        and registered.origin.distribution
        and not registered.target.startswith(error.name or "?")
    ):
        return _extra_error(registered, [error.name or "?"])
    return PluginError(
        f"operator {registered.uses!r} of {registered.owner} fails to import: {type(error).__name__}: {error}",
        expected=f"the class {registered.target!r}",
        hint=f"python -c 'import {module_name(registered)}' shows the traceback"
        if registered.origin.local is None
        else f"correct {registered.owner}",
    )


def _extra_error(registered: Registered, missing: list[str]) -> PluginError:
    return PluginError(
        f"operator {registered.uses!r} is known, but its extra {registered.extra!r} is not installed"
        f" (missing: {', '.join(missing)})",
        expected=f"what {registered.owner} lists under the extra {registered.extra!r}",
        hint=f"pip install '{registered.origin.distribution}[{registered.extra}]'",
    )


def base_class(kind: str) -> type[Operator]:
    """Return the class that operators of a kind (`filter`, `clean`, …) are subclasses of."""
    module, _, name = _BASES[kind].partition(":")
    return getattr(import_module(f"corpusmill.plugin.{module}"), name)  # type: ignore[no-any-return]


def _check_kind(registered: Registered, operator: type) -> None:
    kind = registered.uses.partition(".")[0]
    base = base_class(kind)
    if not issubclass(operator, base):
        name = base.__name__
        raise PluginError(
            f"operator {registered.uses!r} of {registered.owner}: class {operator.__name__!r} is not a {name}",
            expected=f"a subclass of corpusmill.{name} for names that start with {kind!r}",
            hint=f"correct the class, or the method of the registry that names it, in {registered.owner}",
        )


def _check_options(registered: Registered, operator: Any) -> None:
    from corpusmill.plugin.option import Options

    options = operator.Options
    if isinstance(options, type) and issubclass(options, Options) and options.model_config.get("extra") == "forbid":
        return
    fault = "its Options do not refuse unknown keys"
    if not (isinstance(options, type) and issubclass(options, Options)):
        fault += f": {options!r} is not a corpusmill.Options, the pydantic model that does"
    raise PluginError(
        f"operator {registered.uses!r} of {registered.owner}: {fault}",
        expected="class Options(corpusmill.Options), with extra='forbid' left as it is",
        hint=f"in {registered.owner}: class Options({base_class(registered.uses.partition('.')[0]).__name__}.Options), "
        "and each field an option(default, help=…)",
    )


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _stem(registered: Registered) -> str:
    name = registered.origin.name.replace("\\", "/").rsplit("/", 1)[-1]
    return name.removesuffix(".py")
