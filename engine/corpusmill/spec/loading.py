"""From a file or a mapping to a typed spec, with all problems at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpusmill.spec.building import build
from corpusmill.spec.composer import MAX_BYTES, compose
from corpusmill.spec.model import Spec
from corpusmill.spec.nodes import MapNode, Node, from_plain, plain
from corpusmill.spec.overrides import Override, apply_profile, apply_sets, apply_settings
from corpusmill.spec.params import read_params
from corpusmill.spec.problems import Mark, Problem, Problems
from corpusmill.spec.substitution import MISSING, Substitution

Source = str | os.PathLike[str] | Mapping[str, Any]


def load(
    source: Source,
    *,
    params: Mapping[str, Any] | None = None,
    sets: Sequence[Override] = (),
    profile: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Spec | None, list[Problem]]:
    """Read a pipeline file, or a mapping of the same shape; see `read` for the arguments."""
    spec, problems = read(source, params, sets, profile, settings, environment)
    return spec, problems.sorted()


def read(
    source: Source,
    params: Mapping[str, Any] | None = None,
    sets: Sequence[Override] = (),
    profile: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Spec | None, Problems]:
    """Return the typed spec (as much of it as makes sense; None without a mapping at the top) and its problems.

    `params`: values for declared params. `sets`: `ID.OPTION=VALUE` texts. `profile`: a file with only run, store,
    resources, limits. `settings`: top-level values by dotted path (`{"run.executor": "ray"}`), which win over the
    file and the profile. `environment` stands in for `os.environ`.
    """
    problems = Problems()
    text, base, root = _root(source, problems)
    if root is None:
        return None, problems
    secrets = os.environ if environment is None else environment
    apply_profile(root, _profile(profile, problems), problems)
    apply_settings(root, settings or {})
    apply_sets(root, sets, problems)
    declared = root.items.get("params")
    if declared is not None:
        Substitution(None, secrets, problems).apply(declared)
    values = read_params(declared, params or {}, base, problems)
    rest = MapNode(root.mark, items={name: node for name, node in root.items.items() if name != "params"})
    Substitution(values, secrets, problems).apply(rest)
    path = "" if isinstance(source, Mapping) else os.fspath(source)
    known = {name: value for name, value in values.items() if value is not MISSING}
    return build(root, known, Spec("", path=path, base=base, text=text), problems), problems


def _root(source: Source, problems: Problems) -> tuple[str, Path, MapNode | None]:
    if isinstance(source, Mapping):
        problems.file = "spec"
        try:
            node: Node | None = from_plain(source)
        except ValueError as error:
            problems.add(str(error), expected="text, numbers, booleans, lists and mappings")
            node = None
        # JSON is YAML: a spec given as a mapping is recorded with its runs as one given as a file is.
        recorded = json.dumps(plain(node), indent=2, ensure_ascii=False) if node is not None else ""
        return recorded, Path.cwd(), _mapping(node, problems)
    problems.file = os.fspath(source)
    text = _text(Path(source), problems, "")
    base = Path(source).resolve().parent
    if text is None:
        return "", base, None
    problems.lines = text.splitlines()
    node = compose(text, problems)
    return text, base, _mapping(node, problems)


def _mapping(node: Node | None, problems: Problems) -> MapNode | None:
    if isinstance(node, MapNode):
        return node
    if not problems.found:
        mark = node.mark if node is not None else Mark(1, 1)
        expected = "a mapping that starts with `corpusmill: 1`, `name:` and `steps:`"
        problems.add("the spec is empty" if node is None else "the spec is not a mapping", mark, expected=expected)
    return None


def _profile(profile: str | os.PathLike[str] | None, problems: Problems) -> Node | None:
    if profile is None:
        return None
    origin = os.fspath(profile)
    text = _text(Path(profile), problems, origin)
    if text is None:
        return None
    problems.sources[origin] = text.splitlines()
    return compose(text, problems, origin)


def _text(path: Path, problems: Problems, origin: str) -> str | None:
    """Read a small UTF-8 file; at most one byte more than the limit is ever read."""
    mark = Mark(origin=origin)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.add(f"cannot be read: {error.strerror or error}", mark, expected="a pipeline file (YAML)")
        return None
    if len(content) > MAX_BYTES:
        problems.add(f"the file is larger than {MAX_BYTES:,} bytes", mark, expected="a pipeline file, not data")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problems.add(f"byte {error.start} is not UTF-8", Mark(line, 1, origin=origin), expected="a file in UTF-8")
        return None
