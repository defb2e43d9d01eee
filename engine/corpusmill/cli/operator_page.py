"""One operator as a page: facts from its class, told for people."""

from __future__ import annotations

import inspect
from typing import Any

from corpusmill.cli.terminal import say, say_rows
from corpusmill.plugin.describe import OptionText, describe_options
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.registry import Registered
from corpusmill.plugin.resolve import resolve, resolve_tracker
from corpusmill.spec.scalars import plain_value


def operator_facts(registered: Registered) -> dict[str, Any]:
    """Return what can be said about an operator, JSON-able; raises PluginError when it cannot be loaded."""
    operator = resolve(registered)
    options = describe_options(operator.Options)
    return {
        **_registration(registered),
        "version": operator.version,
        "doc": inspect.cleandoc(operator.__doc__ or ""),
        "inputs": {name: _port(port) for name, port in operator.ports().items()},
        "output": operator.output,
        "outputs": dict(operator.outputs),
        **_columns(operator, options),
        "resources": dict(operator.resources),
        "options": [vars(option) for option in options],
        "example": _example(registered.uses, operator, options),
    }


def tracker_facts(registered: Registered) -> dict[str, Any]:
    """Return what can be said about a tracker, JSON-able; raises PluginError when it cannot be loaded."""
    tracker = resolve_tracker(registered)
    options = describe_options(tracker.Options)
    needed = ", ".join(f"{option.name}: {_placeholder(option)}" for option in options if option.required)
    given = f", with: {{{needed}}}" if needed else ""
    return {
        **_registration(registered),
        "doc": inspect.cleandoc(tracker.__doc__ or ""),
        "options": [vars(option) for option in options],
        "example": f"run: {{track: [{{uses: {registered.uses}{given}}}]}}",
    }


def say_tracker(facts: dict[str, Any]) -> None:
    """Print the page of a tracker."""
    say(f"{facts['uses']}: {facts['summary']}")
    say(f"from {facts['owner']} ({facts['target']})")
    say()
    say(facts["doc"])
    say()
    say("options" if facts["options"] else "no options")
    say_rows([(option["name"], _option(option)) for option in facts["options"]])
    say()
    say("example")
    say(f"  {facts['example']}")


def _registration(registered: Registered) -> dict[str, Any]:
    return {name: getattr(registered, name) for name in ("uses", "summary", "owner", "target", "extra")}


def say_operator(facts: dict[str, Any]) -> None:
    """Print the page."""
    say(f"{facts['uses']}: {facts['summary']}")
    say(f"from {facts['owner']}, version {facts['version']} ({facts['target']})")
    say()
    say(facts["doc"])
    say()
    say_rows(list(_rows(facts)), indent=0)
    say()
    say("options" if facts["options"] else "no options")
    say_rows([(option["name"], _option(option)) for option in facts["options"]])
    say()
    say("example")
    say(f"  - {facts['example']}")


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    inputs = ", ".join(f"{name} ({port})" if name != port else name for name, port in facts["inputs"].items())
    named = ", ".join(f"{name} ({kind})" if name != kind else name for name, kind in facts["outputs"].items())
    rows = [("takes", inputs or "nothing"), ("makes", facts["output"] + (f"; by name: {named}" if named else ""))]
    rows += [("reads", ", ".join(facts["reads"]))] if facts["reads"] else []
    rows += [("adds", ", ".join(f"{name} ({kind})" for name, kind in facts["adds"].items()))] if facts["adds"] else []
    resources = ", ".join(f"{name}: {value}" for name, value in facts["resources"].items())
    return rows + ([("resources", resources)] if resources else [])


def _option(option: dict[str, Any]) -> str:
    told = OptionText(**option)
    return f"{told.kind}, {told.standing}. {told.sentence.removesuffix('.')}"


def _port(port: Any) -> str:
    words = [port.artifact]
    words += ["one or many"] if port.many else []
    words += [] if port.required else ["optional"]
    words += [f"split roles {', '.join(port.roles)}"] if port.roles else []
    return ", ".join(words)


def _columns(operator: type[Operator], options: list[OptionText]) -> dict[str, Any]:
    """Columns with options at their defaults and a word where one is a must; nothing where that is not enough."""
    try:
        needed = {option.name: plain_value(_placeholder(option)) for option in options if option.required}
        one = operator(operator.Options(**needed))
        adds = {name: str(kind) for name, kind in one.adds().items()}
        return {"reads": list(one.reads()), "adds": adds}
    except Exception:  # noqa: BLE001 - a stranger's operator may refuse the word, so the columns cannot be known
        return {"reads": [], "adds": {}}


def _example(uses: str, operator: type[Operator], options: list[OptionText]) -> str:
    needed = ", ".join(f"{option.name}: {_placeholder(option)}" for option in options if option.required)
    ports = [name for name, port in operator.ports().items() if port.required]
    parts = [f"uses: {uses}"]
    if len(ports) > 1:
        parts.append(f"needs: {{{', '.join(f'{name}: STEP' for name in ports)}}}")
    if needed:
        parts.append(f"with: {{{needed}}}")
    return "{" + ", ".join(parts) + "}"


def _placeholder(option: OptionText) -> str:
    if option.type.startswith("one of "):
        return option.type.removeprefix("one of ").split(",")[0]
    return {"integer": "1", "number": "0.5", "true or false": "true"}.get(option.type, option.name.upper())
