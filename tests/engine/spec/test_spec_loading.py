"""A spec becomes a typed model, from a file or a mapping, with substitutions, overrides and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corpusmill.spec import Limits, Ref, Spec, load

STEPS = """\
corpusmill: 1
name: fineweb-${param:dump}
params: {dump: {type: text, default: X}, size: {type: int, default: 4}, root: {type: path, default: data}}
limits: {max_document_bytes: 20 MB}
steps:
  - {id: pages, uses: read.warc, with: {paths: "${param:root}/*.warc", size: "${param:size}", cost: "$${x}"}}
  - {uses: filter.url, limits: {deadline: 5 s}, resources: {memory: 2 GiB, actors: [1, 4]}}
  - id: near
    uses: dedup.minhash
    needs: {documents: [pages, filter-url.removed], against: "run:old@2024/near.clusters"}
    with: {schedule: {warmup: 0.1}}
"""


def loaded(tmp_path: Path, text: str = STEPS, **arguments: Any) -> Spec:
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    spec, problems = load(tmp_path / "spec.yaml", **arguments)
    assert [str(problem) for problem in problems] == []
    assert spec is not None
    return spec


def said(tmp_path: Path, text: str = STEPS, **arguments: Any) -> str:
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    return "\n".join(str(problem) for problem in load(tmp_path / "spec.yaml", **arguments)[1])


def test_steps_are_typed(tmp_path: Path) -> None:
    """Ids default to the operator's name, units are resolved, limits are laid over the spec's."""
    spec = loaded(tmp_path)
    pages, url, near = spec.steps
    assert [step.id for step in spec.steps] == ["pages", "filter-url", "near"]
    assert pages.options == {"paths": "data/*.warc", "size": 4, "cost": "${x}"}
    assert url.resources == {"memory": 2 << 30, "actors": (1, 4)}
    assert url.limits == Limits(max_document_bytes=20_000_000, deadline=5.0)
    assert url.needs is None
    assert near.needs == {
        "documents": [Ref("pages", "pages"), Ref("filter-url.removed", "filter-url", tail=("removed",))],
        "against": [Ref("run:old@2024/near.clusters", "near", run="old@2024", tail=("clusters",))],
    }
    assert spec.base == tmp_path.resolve()
    assert spec.text == STEPS


def test_values_know_their_places(tmp_path: Path) -> None:
    """Options keep line and column, down to nested ones."""
    near = loaded(tmp_path).steps[2]
    mark = near.place("with", "schedule", "warmup")
    assert STEPS.splitlines()[mark.line - 1][mark.column - 1 :].startswith("0.1")
    assert near.place("with", "schedule", "absent") == near.place("with", "schedule")


def test_params_take_their_type(tmp_path: Path) -> None:
    """`--param` is read by the declared type; an exact substitution keeps the type, a part of a text becomes text."""
    spec = loaded(tmp_path, params={"dump": "007", "size": "12"})
    assert spec.name == "fineweb-007"
    assert spec.steps[0].options["size"] == 12
    assert "a int" in said(tmp_path, params={"size": "large"})


def test_path_params_start_from_where_the_user_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path typed on the command line becomes relative to the spec, as all its paths are."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    spec = loaded(tmp_path, params={"root": "mine"})
    assert spec.steps[0].options["paths"] == "elsewhere/mine/*.warc"


def test_unknown_params_name_the_nearest(tmp_path: Path) -> None:
    """A misspelt `--param` is a problem."""
    assert "nearest: dump" in said(tmp_path, params={"dumb": "x"})


def test_sets_reach_options_resources_and_limits(tmp_path: Path) -> None:
    """Values are YAML; nested keys are reached with dots; `limits` and `resources` are the step's."""
    sets = [
        "near.schedule.warmup=0.5",
        "near.rows=[1, 2]",
        "near.resources.gpus=1",
        "filter-url.limits.deadline=9",
        "seed=3",
    ]
    spec = loaded(tmp_path, sets=sets)
    near = spec.step("near")
    assert near is not None
    assert near.options == {"schedule": {"warmup": 0.5}, "rows": [1, 2]}
    assert near.resources == {"gpus": 1.0}
    assert spec.steps[1].limits.deadline == 9.0
    assert spec.seed == 3


@pytest.mark.parametrize("text", ["nea.rows=1", "near", "=1", "near.=1", "near.rows=[", "near.resources.gpu=1"])
def test_wrong_sets_are_told_where_they_stand(tmp_path: Path, text: str) -> None:
    """An unknown step, a missing value, broken YAML: the problem names the --set."""
    assert "--set" in said(tmp_path, sets=[text])


def test_limits_of_reading_have_units_and_bounds(tmp_path: Path) -> None:
    """Ratio, size and depth; nothing after the colon lifts the bound on size; other values are told with theirs."""
    text = "corpusmill: 1\nname: x\nlimits: {LIMITS}\nsteps:\n  - {uses: read.jsonl, limits: {max_expansion: 9}}\n"
    given = "max_expansion: 50, max_expanded_bytes: 2 TB, max_json_depth: 8"
    limits = loaded(tmp_path, text.replace("LIMITS", given)).steps[0].limits
    assert limits == Limits(max_expansion=9, max_expanded_bytes=2_000_000_000_000, max_json_depth=8)
    assert loaded(tmp_path, text.replace("LIMITS", "max_expanded_bytes: null")).limits.max_expanded_bytes is None
    wrong = said(tmp_path, text.replace("LIMITS", "max_expansion: 0, max_expanded_bytes: all, max_json_depth: 2000"))
    for words in ("at least 1\n", "a size such as 64 MB", "between 1 and 1024"):
        assert words in f"{wrong}\n"


def test_profiles_say_where_and_never_what(tmp_path: Path) -> None:
    """run, store, resources and limits are laid over the spec; anything else is refused at its own line."""
    profile = tmp_path / "cluster.yaml"
    profile.write_text(
        "run: {executor: ray}\nstore: s3://x\nresources: {near: {cpus: 2}}\nlimits: {max_bad_records: 5}\n"
    )
    spec = loaded(tmp_path, profile=profile)
    assert (spec.run.executor, spec.store, spec.steps[2].resources) == ("ray", "s3://x", {"cpus": 2.0})
    assert spec.steps[2].limits == Limits(max_bad_records=5, max_document_bytes=20_000_000)
    profile.write_text("seed: 1\nresources: {nea: {cpus: 2}}\n")
    text = said(tmp_path, profile=profile)
    assert f"{profile}:1:1: error: unknown key 'seed'" in text
    assert "nearest: near" in text


def test_settings_win_over_profile_and_spec(tmp_path: Path) -> None:
    """Options of the command line, such as --store and --executor, come last."""
    profile = tmp_path / "cluster.yaml"
    profile.write_text("run: {executor: ray, workers: 3}\n")
    spec = loaded(tmp_path, profile=profile, settings={"run.executor": "inline", "store": "elsewhere"})
    assert (spec.run.executor, spec.run.workers, spec.store) == ("inline", 3, "elsewhere")


def test_environment_values_are_redacted(tmp_path: Path) -> None:
    """A secret gets into options and into nothing that is shown."""
    step = "{uses: a.b, with: {token: '${env:KEY}'}, column: ['${env:KEY}'], keep: '${env:KEY}'}"
    text = f"corpusmill: 1\nname: a\nsteps: [{step}]\n"
    (tmp_path / "spec.yaml").write_text(text)
    spec, problems = load(tmp_path / "spec.yaml", environment={"KEY": "hunter2hunter2"})
    assert spec is not None
    assert spec.steps[0].options == {"token": "hunter2hunter2"}
    assert spec.redact("x hunter2hunter2 y") == "x ${env:KEY} y"
    assert problems
    assert "hunter2" not in "".join(str(problem) for problem in problems) + repr(problems) + repr(spec.text)


def test_mappings_load_as_files_do(tmp_path: Path) -> None:
    """The Python face takes the same spec as plain data; problems are located by path."""
    steps = [{"uses": "read.warc", "with": {"paths": Path("a")}}, {"uses": "filter.url", "kep": True}]
    spec, problems = load({"corpusmill": 1, "name": "x", "steps": steps})
    assert spec is not None
    assert spec.steps[0].options == {"paths": "a"}
    assert [str(problem).splitlines()[0] for problem in problems] == [
        "spec: steps[1].kep (step 'filter-url'): error: unknown key 'kep'"
    ]


def test_mappings_with_objects_are_refused() -> None:
    """Only what YAML could say is a spec."""
    spec, problems = load({"corpusmill": 1, "name": "x", "steps": [{"uses": "a.b", "with": {"x": object()}}]})
    assert spec is None
    assert "steps[0].with.x: object" in problems[0].what


def test_wide_characters_do_not_move_the_caret(tmp_path: Path) -> None:
    """The caret stands under the key also after Chinese text, which is two columns wide."""
    lines = said(tmp_path, "corpusmill: 1\nname: x\nsteps: [{uses: a.b, column: 文本, kep: 1}]\n").splitlines()
    assert lines[1].index("kep") + 2 == lines[2].index("^^^")
