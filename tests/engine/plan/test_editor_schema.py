"""The schema that editors get: what the check accepts is valid, what is plainly wrong is not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic.fields import FieldInfo

from corpusmill.plan.editor_schema import MODELINE, editor_schema
from corpusmill.plan.options import check_options
from corpusmill.plugin.describe import describe_option
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.registry import Registry
from corpusmill.plugin.resolve import resolve
from corpusmill.spec import language
from corpusmill.spec.composer import compose
from corpusmill.spec.loading import load
from corpusmill.spec.model import Step
from corpusmill.spec.nodes import plain
from corpusmill.spec.problems import Problems

REPOSITORY = Path(__file__).parents[3]
PIPELINES = sorted((REPOSITORY / "pipelines").glob("*.yaml"))
READ = "  - {id: raw, uses: read.jsonl, with: {paths: data/*.jsonl}}\n"
HEAD = "corpusmill: 1\nname: sample\n"


@cache
def registry() -> Registry:
    return load_registry()


@cache
def validator() -> Draft7Validator:
    schema = editor_schema(registry())
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def fields_of(uses: str) -> dict[str, FieldInfo]:
    return resolve(registry().operators[uses]).Options.model_fields


def parsed(text: str) -> Any:
    problems = Problems()
    node = compose(text, problems)
    assert not problems.found
    return plain(node)


def places(text: str) -> set[str]:
    """Where the schema finds something wrong, as dotted paths."""
    return {".".join(map(str, error.absolute_path)) for error in validator().iter_errors(parsed(text))}


def steps(*lines: str) -> str:
    return HEAD + "steps:\n" + READ + "".join(f"  - {{{line}}}\n" for line in lines)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_shipped_pipelines_are_valid_and_name_the_schema(path: Path) -> None:
    """Opened in an editor, each is complete: its first line leads to the schema beside it."""
    text = path.read_text(encoding="utf-8")
    assert places(text) == set()
    named = text.splitlines()[0].removeprefix(MODELINE)
    assert (path.parent / named).resolve() == REPOSITORY / "pipelines" / "corpusmill.schema.json"


@pytest.mark.parametrize(
    "text",
    [
        steps("uses: filter.length, with: {min_words: 5}"),
        steps('uses: filter.length, with: {min_words: "${param:words}"}'),
        steps('uses: filter.length, with: {min_words: "5"}, keep: "${env:KEEP}"'),
        steps("uses: filter.length, with: {min_words: null, max_words: 9}"),
        steps("uses: filter.where, with: {all: [{column: a, is: true}, {not: {column: b, in: [1, x]}}]}"),
        steps("uses: clean.unicode, with: "),
        steps("uses: clean.unicode, needs: [raw, run:other@2026-01-01/near.removed, store:0123456789abcdef]"),
        steps("uses: dedup.minhash, needs: {documents: raw, against: ['run:other/near']}"),
        steps("uses: write.jsonl, with: {path: out, file_bytes: 2 GiB}"),
        steps("uses: write.jsonl, with: {path: out, file_bytes: '${param:size} MB'}"),
        steps("uses: '${param:operator}', with: {anything: goes}"),
        steps("uses: clean.unicode, resources: {cpus: 0.5, memory: 3 GB, actors: [4, 64]}, limits: {deadline: null}"),
        steps("uses: clean.unicode") + "limits: {max_document_bytes: 20 MB, deadline: 5 min}\nrun: {executor: ray}\n",
        steps("uses: clean.unicode") + "limits: {max_expansion: 50, max_expanded_bytes: null, max_json_depth: 1024}\n",
        HEAD + "steps:\n  - {uses: read.text, with: {paths: x, checksums: SUMS, expect: {files: 1, rows: 9}}}\n",
        steps("uses: clean.unicode") + "params: {a: 1, b: [x, y], c: {type: text, choices: [p, q], help: h}}\n",
        HEAD + "steps:\n" + READ + "params:\nplugins: [./mine.py, acme]\nstore: s3://bucket/store\nseed: 7\n",
        steps("uses: split.by-hash")
        + "search: {method: random, vary: {raw.shard: {from: 1, to: 9, scale: log}, x.y: [1, a]}, "
        "objective: {max: x.f1}, trials: 3, seeds: [1, 2], stop: {asha: {}}, concurrent: 2}\n",
    ],
)
def test_right_specs_are_valid(text: str) -> None:
    """Substitutions, units, nulls, digits in quotes, unions and references are no mistakes."""
    assert places(text) == set()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD.replace("1", "2", 1) + "steps:\n" + READ, "corpusmill"),
        ("name: x\nsteps:\n" + READ, ""),
        (HEAD + "steps: []\n", "steps"),
        (HEAD + "sed: 3\nsteps:\n" + READ, ""),
        (HEAD.replace("sample", "a/b") + "steps:\n" + READ, "name"),
        (HEAD + "seed: often\nsteps:\n" + READ, "seed"),
        (HEAD + "limits: {max_bad_fraction: 2}\nsteps:\n" + READ, "limits.max_bad_fraction"),
        (HEAD + "limits: {max_document_bytes: 3 apples}\nsteps:\n" + READ, "limits.max_document_bytes"),
        (HEAD + "limits: {max_json_depth: 2000}\nsteps:\n" + READ, "limits.max_json_depth"),
        (HEAD + "limits: {max_expansion: null}\nsteps:\n" + READ, "limits.max_expansion"),
        (HEAD + "steps:\n  - {uses: read.text, with: {paths: x, expect: {row: 9}}}\n", "steps.0.with.expect"),
        (HEAD + "run: {executor: slurm}\nsteps:\n" + READ, "run.executor"),
        (steps("uses: filter.lenght"), "steps.1.uses"),
        (steps("uses: clean.unicode, colum: text"), "steps.1"),
        (steps("uses: clean.unicode, id: Upper"), "steps.1.id"),
        (steps("uses: clean.unicode, keep: yes"), "steps.1.keep"),
        (steps("uses: clean.unicode, needs: a/b"), "steps.1.needs"),
        (steps("uses: clean.unicode, needs: {pages: raw}"), "steps.1.needs"),
        (steps("uses: clean.unicode, resources: {gpu: 1}"), "steps.1.resources"),
        (steps("uses: filter.length, with: {min_word: 5}"), "steps.1.with"),
        (steps("uses: filter.length, with: {min_words: many}"), "steps.1.with.min_words"),
        (steps("uses: filter.length, with: {min_words: true}"), "steps.1.with.min_words"),
        (steps("uses: filter.length, with: {min_words: -1}"), "steps.1.with.min_words"),
        (steps("uses: filter.length, with: {min_words: 1.5}"), "steps.1.with.min_words"),
        (steps("uses: filter.length, with: {min_words: '${parm:words}'}"), "steps.1.with.min_words"),
        (steps("uses: dedup.minhash, with: {threshold: 1.5}"), "steps.1.with.threshold"),
        (steps("uses: dedup.minhash, with: {keep: longst}"), "steps.1.with.keep"),
        (steps("uses: write.jsonl"), "steps.1"),
        (steps("uses: write.jsonl, with: {path: out, file_bytes: 0}"), "steps.1.with.file_bytes"),
        (steps("uses: filter.where, with: {all: [{colum: a}]}"), "steps.1.with.all.0"),
        (steps("uses: evaluate.perplexity, needs: raw"), "steps.1.needs"),
        (steps("uses: evaluate.perplexity"), "steps.1"),
        (steps("uses: read.text, with: {paths: x}, needs: raw"), "steps.1.needs"),
    ],
)
def test_wrong_specs_are_invalid_at_the_value(text: str, where: str) -> None:
    """One mistake, found in one place: unknown keys, operators and options, wrong types, values out of range."""
    assert places(text) == {where}


NEEDED = {"filter.length": {"min_words": 1}, "filter.where": {"column": "a", "is": "b"}}
WRITTEN = ["5", " 5 ", "0.5", "-1", "1e3", "1_000", "inf", "nan", "5 MB", "2 GiB", "3 kib", "500 ms", "2 h", "1 min"]
WORDS = ["on", "Off", "YES", "n", "true", "1", "abc", "", "en", "NFC", "none", "all", "auto", "utf-8", "first", "file"]
scalars = (
    st.sampled_from([*WRITTEN, *WORDS, None, True, False, 0, 1, 2, 3, -1, 0.5, 0.9, 1.0, 64, 10**9])
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "type", "text"]), inner),
    max_leaves=4,
)


@st.composite
def options_of_an_operator(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """What an operator needs, and one option drawn: near what is told of it, or anything at all."""
    uses = draw(st.sampled_from([uses for uses in sorted(registry().operators) if fields_of(uses)]))
    fields = fields_of(uses)
    needed = {name: "x" for name, field in fields.items() if field.is_required()}
    name = draw(st.sampled_from(sorted(fields)))
    told = describe_option(name, fields[name])
    default = list(told.default) if isinstance(told.default, tuple) else told.default
    near = [default, 1, "1", 0.5, "0.5", "x", ["x"], {"x": "y"}, {"x": 0.5}, {"type": default}, "3 kib", "on"]
    words = told.type.removeprefix("one of ").replace(" or nothing", "").split(", ")
    value = draw(st.sampled_from([*near, *words]) if draw(st.integers(0, 2)) else values)
    return uses, {**needed, **NEEDED.get(uses, {}), name: value}


@settings(max_examples=400)
@given(options_of_an_operator())
def test_options_that_the_check_accepts_are_valid(drawn: tuple[str, dict[str, Any]]) -> None:
    """An editor never marks what would run."""
    uses, options = drawn
    accepted = check_options(Step("one", uses, options), resolve(registry().operators[uses]), Problems())
    schema = validator().schema
    own = Draft7Validator({"$ref": f"#/definitions/{uses}", "definitions": schema["definitions"]})
    errors = [error.message for error in own.iter_errors(options)]
    assert accepted is None or not errors


def test_each_option_tells_help_type_range_and_default() -> None:
    """What `plugins show` prints stands where the editor shows it."""
    option = validator().schema["definitions"]["dedup.minhash"]["properties"]["ngram"]
    assert option["description"] == "Words an n-gram.\n\nInteger ≥ 1, ≤ 100 (words); default 5."
    assert (option["minimum"], option["maximum"], option["default"]) == (1, 100, 5)


def test_operators_are_told_with_their_summaries() -> None:
    """Completion of `uses` says what each one does."""
    names = validator().schema["definitions"]["step"]["properties"]["uses"]["anyOf"][0]
    told = dict(zip(names["enum"], names["enumDescriptions"], strict=True))
    assert told == {uses: one.summary for uses, one in registry().operators.items()}


PLUGIN = b"""
from datetime import date
from typing import Annotated
from corpusmill import Filter, hookimpl, option
from pydantic import Field

class Odd(Filter):
    class Options(Filter.Options):
        day: date = option(help="a day")
        share: Annotated[float, Field(ge=0, le=1)] = option(0.5, help="a share")

@hookimpl
def corpusmill_register(registry):
    registry.filter("odd", "odd:Odd", "Odd.")
    registry.filter("broken", "odd_module_that_is_not_there:Odd", "Broken.")
"""


def test_a_strangers_types_allow_anything_and_broken_operators_stay() -> None:
    """A type the schema has no words for is left to the check; so are options of what cannot be imported."""
    local = LocalPlugin("./odd.py", "f" * 24, PLUGIN)
    strange = Draft7Validator(editor_schema(load_registry([local], blocked=["corpusmill"])))
    spec = {"corpusmill": 1, "name": "x", "steps": [{"uses": "filter.odd", "with": {"day": "2026-01-01"}}]}
    assert strange.is_valid(spec)
    spec["steps"] = [{"uses": "filter.broken", "with": {"what": "ever"}}]
    assert strange.is_valid(spec)
    spec["steps"] = [{"uses": "filter.odd", "with": {"day": "2026-01-01", "share": 2}}]
    assert not strange.is_valid(spec)


ANYTHING = [*WRITTEN, *WORDS, None, True, False, 0, 1, -1, 0.5, 1.0, 2, 10**9, [], [1, 2], [2, 1], ["a"], {}, {"a": 1}]


LATER = ("uses", "with", "needs", "search")
"""Judged when operators are known, not when the file is read."""


@pytest.mark.parametrize("group", ["top", "step", "limits", "run", "resources", "param"])
def test_settings_that_the_reader_accepts_are_valid(group: str) -> None:
    """Every key of the language with every sort of value: what is read without a problem is never marked."""
    accepted = 0
    for key in language.MAPPINGS[{"top": "SPEC"}.get(group, group.upper())]:
        for value in [*ANYTHING, *key.choices] if key.name not in LATER else []:
            spec = placed(group, key.name, value)
            if load(spec)[1]:
                continue
            accepted += 1
            assert validator().is_valid(spec), f"{group}.{key.name}: {value!r}"
    assert accepted > 20


def placed(group: str, key: str, value: Any) -> dict[str, Any]:
    """A sound spec with one value set in one of its groups."""
    step: dict[str, Any] = {"uses": "clean.unicode"}
    spec: dict[str, Any] = {"corpusmill": 1, "name": "x", "steps": [step]}
    if group == "top":
        return {**spec, key: value}
    if group == "param":
        return {**spec, "params": {"one": {"default": "a", key: value}}}
    around = step if group == "resources" else spec
    target = step if group == "step" else around.setdefault(group, {})
    target[key] = value
    return spec
