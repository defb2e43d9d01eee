"""The spec as JSON Schema, for editors: the language, and every installed operator with its options and ports."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from corpusmill.errors import PluginError
from corpusmill.plugin import json_shape
from corpusmill.plugin.json_shape import Schema, Shape
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.option_schema import OptionSchemas
from corpusmill.plugin.ports import Port
from corpusmill.plugin.registry import Registered, Registry
from corpusmill.plugin.resolve import resolve, resolve_tracker
from corpusmill.spec import language
from corpusmill.spec.language import Key
from corpusmill.spec.references import ID, PATTERN

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The YAML language server supports draft 7 and older; of newer drafts it checks the schema, not the file."""

MODELINE = "# yaml-language-server: $schema="
"""What a spec begins with to name its schema: a path relative to the spec, or a URL."""

_SCALAR = Shape({"string": (), "number": {"type": "number"}, "boolean": {}, "null": {}})
_ID = json_shape.text(f"^{ID.pattern}$")
_REFERENCE = json_shape.text(PATTERN)
_NAME = Shape({"string": (r"^[^./][^/]*$",)})
_PLUGIN = Shape({"string": (r".",)})


def editor_schema(registry: Registry) -> Schema:
    """Return the schema of a pipeline file with the operators of a registry; JSON-able, the same for the same plugins.

    It accepts whatever the check accepts of one file by itself. It cannot see what lies between values (columns,
    references, options that exclude one another): that is left to the check.
    """
    options = OptionSchemas()
    operators = [registry.operators[uses] for uses in sorted(registry.operators)]
    cases = [_case(registered, options) for registered in operators]
    followers = [registry.trackers[uses] for uses in sorted(registry.trackers)]
    trackers = [_tracker_case(registered, options) for registered in followers]
    definitions = {
        "step": {**_mapping(language.STEP), **({"allOf": cases} if cases else {})},
        "limits": _or_nothing(_mapping(language.LIMITS)),
        "run": _or_nothing(_mapping(language.RUN)),
        "tracker": {**_mapping(language.TRACKER), **({"allOf": trackers} if trackers else {})},
        "resources": _or_nothing(_mapping(language.RESOURCES)),
        "search": _or_nothing(_mapping(language.SEARCH)),
        "param": _mapping(language.PARAM),
        "domain": _mapping(language.DOMAIN),
        **options.definitions,
    }
    step = definitions["step"]["properties"]
    step["uses"] |= _uses(operators)
    definitions["tracker"]["properties"]["uses"] |= _uses(followers)
    for name in ("uses", "with", "needs"):
        del step[name]["description"]  # editors show the first one they meet; the operator's own says more
    return {"$schema": DRAFT, **_mapping(language.TOP), "definitions": definitions}


def _mapping(keys: Iterable[Key]) -> Schema:
    """A mapping of the language: its keys, no others."""
    keys = tuple(keys)
    required = [key.name for key in keys if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _key(key) for key in keys},
        **({"required": required} if required else {}),
    }


def _or_nothing(mapping: Schema) -> Schema:
    """Let nothing stand for an empty mapping; two types in one schema, since editors explain `anyOf` poorly."""
    return {**mapping, "type": ["object", "null"]}


def _key(key: Key) -> Schema:
    shape = _shape(key)
    schema = (shape | json_shape.NOTHING if key.null and not shape.others else shape).schema()
    schema = {"allOf": [schema]} if "$ref" in schema else schema
    default = {} if key.default is None else {"default": key.default}
    expected = {"patternErrorMessage": f"Expected {_EXPECTED[key.type]}."} if key.type in _EXPECTED else {}
    return {"description": f"{key.help[:1].upper()}{key.help[1:]}.", **schema, **expected, **default}


def _shape(key: Key) -> Shape:
    if key.choices:
        return json_shape.choice(key.choices)
    if key.type in _NUMBERS:
        bounds = {"minimum": key.least, "maximum": key.most}
        given: dict[str, Any] = {word: bound for word, bound in bounds.items() if bound is not None}
        return json_shape.number(_NUMBERS[key.type], **given)
    if key.type in ("text", "KIND.NAME"):
        return _NAME if key.name == "name" else json_shape.TEXT
    return _GRAMMAR[key.type]


def _defined(name: str) -> Shape:
    return json_shape.whole({"$ref": f"#/definitions/{name}"})


def _list(items: Shape, **bounds: int) -> Shape:
    return Shape({"array": {"items": items.schema(), **bounds}})


_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "number": "a number",
    "size": "a size such as 64 MB or 2 GiB",
    "duration": "a duration such as 500 ms or 2 h",
    "ID": "lower-case letters, digits and '-', a letter first",
}
"""What the YAML language server says instead of showing a pattern (a keyword beside the standard)."""

_NUMBERS = {"int": "integer", "number": "number"}
_WORKERS = json_shape.number("integer", minimum=1)
_GRAMMAR: dict[str, Shape] = {
    "1": json_shape.whole({"const": 1}),
    "bool": json_shape.TRUTH,
    "size": json_shape.quantity(json_shape.SIZE_TEXT),
    "duration": json_shape.quantity(json_shape.DURATION_TEXT),
    "ID": _ID,
    "OPTIONS": Shape({"object": {}}),
    "VALUE": _SCALAR,
    "[VALUE]": _list(_SCALAR),
    "[int]": json_shape.sequence(json_shape.number("integer").schema()),
    "[PLUGIN]": _list(_PLUGIN),
    "[STEP]": _list(_defined("step"), minItems=1),
    "LIMITS": _defined("limits"),
    "RUN": _defined("run"),
    "[TRACKER]": _list(_defined("tracker")),
    "RESOURCES": _defined("resources"),
    "SEARCH": _defined("search"),
    "{NAME: PARAM}": json_shape.mapping((_defined("param") | _SCALAR | _list(_SCALAR)).schema()),
    "{ID.OPTION: DOMAIN}": json_shape.mapping((_defined("domain") | _list(json_shape.ANYTHING)).schema()),
    "ACTORS": _WORKERS | _list(_WORKERS, minItems=2, maxItems=2),
    "NEEDS": _REFERENCE
    | _list(_REFERENCE, minItems=1)
    | json_shape.mapping((_REFERENCE | _list(_REFERENCE, minItems=1) | Shape({"object": {}})).schema()),
    "OBJECTIVE": json_shape.whole(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"max": {"type": "string"}, "min": {"type": "string"}},
            "minProperties": 1,
            "maxProperties": 1,
        }
    ),
    "STOP": json_shape.whole({"enum": ["asha"]})
    | json_shape.whole({"type": "object", "properties": {"asha": {"type": "object"}}, "required": ["asha"]}),
}
"""Word of the grammar -> what it may be."""


def _uses(operators: list[Registered]) -> Schema:
    names = {"enum": [one.uses for one in operators], "enumDescriptions": [one.summary for one in operators]}
    substituted = json_shape.SUBSTITUTED.schema()
    return {"anyOf": [names, substituted]}


def _case(registered: Registered, options: OptionSchemas) -> Schema:
    """If a step uses this operator, then these are its options and inputs."""
    condition = {"properties": {"uses": {"const": registered.uses}}, "required": ["uses"]}
    try:
        operator = resolve(registered)
    except PluginError as error:
        told = f"{registered.summary}\n\n{error.what}." + (f" {error.hint}" if error.hint else "")
        return {"if": condition, "then": {"properties": {"with": {"description": told}}}}
    given = options.reference(operator.Options, registered.uses)
    must = [name for name, field in operator.Options.model_fields.items() if field.is_required()]
    if not must:
        options.definitions[registered.uses] = _or_nothing(options.definitions[registered.uses])
    ports = operator.ports()
    several = sum(port.required for port in ports.values()) > 1
    required = [*(["with"] if must else []), *(["needs"] if several else [])]
    then: dict[str, Any] = {
        "properties": {
            "uses": {"description": _page(registered, operator)},
            "with": {"description": registered.summary, "allOf": [given]},
            "needs": _needs(ports),
        },
        **({"required": required} if required else {}),
    }
    return {"if": condition, "then": then}


def _tracker_case(registered: Registered, options: OptionSchemas) -> Schema:
    """If a run is followed by this tracker, then these are its options."""
    condition = {"properties": {"uses": {"const": registered.uses}}, "required": ["uses"]}
    with_options: Schema = {"description": registered.summary}
    try:
        with_options["allOf"] = [options.reference(resolve_tracker(registered).Options, registered.uses)]
        options.definitions[registered.uses] = _or_nothing(options.definitions[registered.uses])
    except PluginError as error:
        with_options["description"] += f"\n\n{error.what}." + (f" {error.hint}" if error.hint else "")
    return {"if": condition, "then": {"properties": {"with": with_options}}}


def _page(registered: Registered, operator: type[Operator]) -> str:
    takes = ", ".join(_told(name, port) for name, port in operator.ports().items())
    owner = registered.origin.distribution or registered.owner  # without its version, which would age the schema
    return f"{registered.summary}\n\nTakes {takes or 'no inputs'}; makes {operator.output}. From {owner}."


def _told(name: str, port: Port) -> str:
    words = [*([port.artifact] if name != port.artifact else []), *([] if port.required else ["optional"])]
    return f"{name} ({', '.join(words)})" if words else name


def _needs(ports: dict[str, Port]) -> Schema:
    """The inputs of one operator: by name, or without one where it can only mean one port."""
    if not ports:
        return {"description": "Takes no inputs.", "type": "object", "maxProperties": 0}
    required = [name for name, port in ports.items() if port.required]
    by_name: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _port(name, port).schema() for name, port in ports.items()},
        **({"required": required} if required else {}),
    }
    meant = required or list(ports)
    unnamed = [_references(ports[meant[0]])] if len(meant) == 1 else []
    told = ", ".join(_told(name, port) for name, port in ports.items())
    return {"description": f"Takes {told}.", **reduce(or_, [*unnamed, json_shape.whole(by_name)]).schema()}


def _references(port: Port) -> Shape:
    many = port.many or port.artifact == "documents"
    return _REFERENCE | _list(_REFERENCE, minItems=1, **({} if many else {"maxItems": 1}))


def _port(name: str, port: Port) -> Shape:
    if not port.roles:
        return _references(port)
    roles = {role.rstrip("?"): _references(port).schema() for role in port.roles}
    required = [role for role in port.roles if not role.endswith("?")]
    by_role = {"type": "object", "additionalProperties": False, "properties": roles, "required": required}
    return _references(port) | json_shape.whole(by_role)
