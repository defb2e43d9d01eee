"""Secrets: what `${env:X}` brings in is used, and stands in no file, no output and no error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from corpusmill.plan.check import check
from corpusmill.plugin.option import Options, option, revealed
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.observers import Observers
from corpusmill.spec.secrets import redact, redact_error, redact_values

CANARY = "s3cr3t/C@nary\"'\\ <ü>"
"""A password with all that spells differently in Python, JSON, URLs and HTML."""
PIECE = "C@nary"
NAMES = {"CANARY_OPTION": f"{CANARY}-option", "CANARY_PARAM": f"{CANARY}-param", "CANARY_TYPED": f"{CANARY}-typed"}
PLUGIN = '''
"""Operators that know a secret and are careless with it."""

import os

from corpusmill import Filter, Secret, Tracker, at_most, hookimpl, option


class Careless(Filter):
    """Put options into rules, signals, errors and output."""

    class Options(Filter.Options):
        """Options."""

        word: str = option(help="a word")
        other: str = option(help="another")
        token: Secret = option(help="a password")

    def measure_text(self, text):
        assert self.options.token.get_secret_value() == os.environ["CANARY_TYPED"]
        if "poison" in text:
            raise ValueError(f"bad word {self.options.word!r} or {self.options.other} in {self.options}")
        return {"words": float(len(text.split()))}

    def rules(self):
        return [at_most("words", 4.0, f"{self.options.word} and {self.options.other}")]


class Broken(Tracker):
    """Quote the password in what is raised."""

    class Options(Tracker.Options):
        """Options."""

        uri: str = option(help="where")

    @hookimpl
    def corpusmill_stage_finished(self, stage):
        raise RuntimeError(f"no answer from {self.options.uri}")


@hookimpl
def corpusmill_register(registry):
    registry.filter("careless", "careless:Careless", "Put options everywhere.")
    registry.tracker("broken", "careless:Broken", "Quote the password.")
'''
SPEC = """\
corpusmill: 1
name: canary
plugins: [./careless.py]
params: {secret: {type: text, default: "${env:CANARY_PARAM}"}}
limits: {max_bad_fraction: 1.0}
run: {track: [{uses: track.broken, with: {uri: "http://user:${env:CANARY_OPTION}@127.0.0.1:1"}}]}
steps:
  - {id: raw, uses: read.jsonl, with: {paths: rows.jsonl, columns: [text, topic]}}
  - {id: topics, uses: filter.where, with: {column: topic, in: [sea, "${env:CANARY_OPTION}"]}}
  - id: careless
    uses: filter.careless
    with: {word: "${env:CANARY_OPTION}", other: "x ${param:secret} y", token: "${env:CANARY_TYPED}"}
  - {id: export, uses: write.jsonl, with: {path: out}}
"""
# What the careless tracker raises is a warning, which the tests of warnings take for a failure elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:observer")
ROWS = ["three words here", "poison", "many more words than four of them", "the land"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec that uses three secrets, which are set."""
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mill.yaml").write_text(SPEC)
    (tmp_path / "careless.py").write_text(PLUGIN)
    rows = [{"text": text, "topic": "land" if "land" in text else "sea"} for text in ROWS]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def spilled(folder: Path) -> Iterator[str]:
    """Yield the files below a folder that hold a piece of a canary, in their bytes or, packed, in their values."""
    import pyarrow as pa

    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        if path.suffix == ".arrow":
            data += repr(pa.ipc.open_file(pa.py_buffer(data)).read_all().to_pylist()).encode()
        if PIECE.encode() in data or b"C%40nary" in data:
            yield str(path.relative_to(folder))


def test_no_file_of_a_run_holds_a_secret(project: Path, mill: Any, recwarn: pytest.WarningsRecorder) -> None:
    """Run directory, store, ledgers, quarantines, report, journal, plan, lock, export, output, warnings."""
    said = [mill("run", "mill.yaml", "--executor", "inline", "--debug")]
    said += [mill("run", "mill.yaml", "--executor", "inline", "--json"), mill("plan", "mill.yaml")]
    said += [mill("report", "canary"), mill("quarantine", "canary"), mill("status", "canary", "--json")]
    assert [one.code for one in said] == [0] * 6, [one.err for one in said]
    assert "${env:CANARY_OPTION}" in said[1].out
    assert PIECE not in "".join(one.out + one.err for one in said)
    assert "observer Broken raised RuntimeError: no answer from http://user:${env:CANARY_OPTION}@" in said[0].err
    assert PIECE not in "".join(str(one.message) for one in recwarn)
    assert list(spilled(project)) == []


def test_a_document_is_explained_without_the_secret(project: Path, mill: Any) -> None:
    """The replay looks the values up again, uses them, and hides them; without them it says which is missing."""
    mill("run", "mill.yaml", "--executor", "inline", "--debug", "--quiet")
    offset = (project / "rows.jsonl").read_bytes().index(b'{"text": "many')
    said = mill("explain", "canary", f"rows.jsonl@{offset}")
    assert "removed by ${env:CANARY_OPTION} and x ${env:CANARY_PARAM} y: 7 (threshold 4)" in said.out
    assert "not measured again" not in said.out
    assert PIECE not in said.out + said.err


def test_a_replay_without_the_variable_says_so(project: Path, mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value was stored nowhere, so without the environment the step cannot be run again."""
    mill("run", "mill.yaml", "--executor", "inline", "--debug", "--quiet")
    monkeypatch.delenv("CANARY_OPTION")
    said = mill("explain", "canary", "rows.jsonl@0")
    assert "'CANARY_OPTION', which is not set here" in said.out


def test_an_error_of_a_run_tells_no_secret(project: Path, mill: Any) -> None:
    """A run that fails for an operator's words prints and records them without the secret."""
    text = "".join(json.dumps({"text": f"poison {row}", "topic": "sea"}) + "\n" for row in range(150))
    (project / "rows.jsonl").write_text(text)
    said = mill("run", "mill.yaml", "--executor", "inline", "--debug", "--quiet")
    assert said.code == 1
    assert "bad word '${env:CANARY_OPTION}'" in said.err
    assert PIECE not in said.out + said.err
    assert list(spilled(project)) == []


def test_a_run_from_python_raises_without_the_secret(project: Path) -> None:
    """What `run_spec` raises, and what stands behind it, is as clean as what is printed."""
    (project / "rows.jsonl").write_text("".join('{"text": "poison", "topic": "sea"}\n' for _ in range(150)))
    with pytest.raises(Exception, match="bad word") as caught:
        run_spec(check("mill.yaml"), RunOptions(store=str(project / "store"), debug=True))
    behind: BaseException | None = caught.value
    while behind is not None:
        assert PIECE not in str(behind) + repr(behind.args)
        behind = behind.__cause__ or behind.__context__


def test_a_secret_in_the_spec_itself_is_refused(project: Path, mill: Any) -> None:
    """An option typed as a secret must come from the environment; the message does not repeat what it refuses."""
    (project / "mill.yaml").write_text(SPEC.replace('"${env:CANARY_TYPED}"', "hunter2hunter2"))
    said = mill("check", "mill.yaml")
    assert said.code == 2
    assert "option token of filter.careless is a secret, and stands in the spec as plain text" in said.err + said.out
    assert "export TOKEN=… and write ${env:TOKEN}" in said.err + said.out
    assert "hunter2" not in said.err + said.out


def test_a_typed_secret_enters_no_fingerprint(project: Path, mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another password is the same work: nothing runs again."""
    mill("run", "mill.yaml", "--executor", "inline", "--debug", "--quiet")
    monkeypatch.setenv("CANARY_TYPED", "another password altogether")
    assert "0 to run at most" in mill("plan", "mill.yaml").out


class Nested(Options):
    """Options in options."""

    key: SecretStr = option(help="a key")


class Outer(Options):
    """Options with secrets at every depth."""

    key: SecretStr | None = option(None, help="a key")
    inner: Nested | None = option(None, help="more")
    many: dict[str, SecretStr] = option(default_factory=dict, help="many")


def test_options_show_stars_and_travel_in_the_clear() -> None:
    """What is printed or dumped holds stars; what builds the operator in a worker holds the value."""
    given = {"key": "aaaa", "inner": {"key": "bbbb"}, "many": {"x": "cccc"}}
    options = Outer.model_validate(given)
    assert revealed(options) == given
    assert Outer.model_validate(revealed(options)) == options
    for shown in (repr(options), str(options), options.model_dump_json(), json.dumps(options.model_dump(mode="json"))):
        assert not {"aaaa", "bbbb", "cccc"} & {shown[at : at + 4] for at in range(len(shown))}


@given(st.text(min_size=3), st.text(), st.text())
def test_no_spelling_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    """As it stands, in `repr`, in JSON: none of them survives."""
    for spelt in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        found = redact(f"{before}{spelt}{after}", {secret: "\0"})
        assert spelt not in found.replace("\0", "") or spelt in before + after or len(spelt) > len(secret)
        assert "\0" in found


@settings(max_examples=30)
@given(st.recursive(st.text() | st.integers() | st.none(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_values_without_a_secret_stay_as_they_are(value: Any) -> None:
    """Redaction changes nothing else, whatever the shape."""
    assert redact_values(value, {"no such text at all": "***"}) == value


def test_an_error_that_hides_its_words_is_replaced() -> None:
    """Where an exception makes up its message from what cannot be cleaned, one with clean words takes its place."""

    class Sly(Exception):
        def __str__(self) -> str:
            return f"password is {CANARY}"

    found = redact_error(Sly(), {CANARY: "***"})
    assert str(found) == "Sly: password is ***"


def test_a_path_in_an_os_error_is_cleaned() -> None:
    """The file name of an OSError is not among its arguments."""
    found = redact_error(FileNotFoundError(2, "No such file", f"/mnt/{CANARY}/x"), {CANARY: "***"})
    assert isinstance(found, FileNotFoundError)
    assert str(found) == "[Errno 2] No such file: '/mnt/***/x'"


def test_workers_get_secrets_by_no_command_line(project: Path) -> None:
    """Arguments of processes are for everybody on the machine to read: settings travel through pipes."""
    import subprocess

    from corpusmill.runner import fresh_worker, isolation

    started: list[list[str]] = []
    original = subprocess.Popen

    class Watched(original):  # type: ignore[misc, valid-type]
        def __init__(self, command: list[str], *arguments: Any, **named: Any) -> None:
            started.append(
                [*command, *(value for name, value in (named.get("env") or {}).items() if name not in NAMES)]
            )
            super().__init__(command, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_worker.subprocess, "Popen", Watched)
        patch.setattr(isolation.subprocess, "Popen", Watched)
        run_spec(check("mill.yaml"), RunOptions(store=str(project / "store"), executor="inline", fork=False))
    assert started
    assert PIECE not in repr(started)
    assert PIECE in os.environ["CANARY_OPTION"]


def test_a_tracker_s_error_is_a_warning_without_the_secret() -> None:
    """The password in the address of a server that does not answer is not in the warning."""
    import pluggy

    from corpusmill.plugin import hookspecs

    class Angry:
        @hookspecs.hookimpl
        def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
            raise RuntimeError(f"no answer from http://me:{CANARY}@host")

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Angry())
    with pytest.warns(RuntimeWarning, match="no answer from http://me:\\*\\*\\*@host"):
        Observers(manager, lambda text: redact(text, {CANARY: "***"})).stage_started({})


def test_observers_are_told_a_store_without_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin's hooks, and the journal, hear `${env:X}`; the run finds its store again all the same."""
    from corpusmill.plugin.hookspecs import hookimpl
    from corpusmill.runner.records import latest_run

    told: list[str] = []

    class Stranger:
        @hookimpl
        def corpusmill_run_started(self, run: dict[str, Any]) -> None:
            told.append(run["store"])

    monkeypatch.setenv("CANARY_PLACE", "s3cr3t-place")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n')
    steps = "steps:\n  - {id: raw, uses: read.jsonl, with: {paths: rows.jsonl}}\n"
    uri = f"object://{tmp_path}/s3cr3t-place/store"
    (tmp_path / "mill.yaml").write_text(
        f'corpusmill: 1\nname: canary\nstore: "object://{tmp_path}/${{env:CANARY_PLACE}}/store"\n{steps}'
    )
    run_spec(check("mill.yaml"), RunOptions(debug=True), [Stranger()])
    assert told == [f"object://{tmp_path}/${{env:CANARY_PLACE}}/store"]
    assert latest_run(uri, "canary").store == uri
