"""The schema in a real YAML language server, where CORPUSMILL_YAML_SERVER names its script (and node is there).

`npm install yaml-language-server` brings it: `node_modules/yaml-language-server/bin/yaml-language-server`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpusmill.cli.schema import schema_text
from corpusmill.plan.editor_schema import MODELINE
from corpusmill.plugin.finder import load_registry

WRONG = f"""{MODELINE}./corpusmill.schema.json
corpusmill: 1
name: x
sed: 3
steps:
  - {{id: a, uses: read.jsonl, with: {{paths: data/*.jsonl, colums: [text]}}}}
  - {{uses: filter.lenght}}
  - {{uses: filter.length, with: {{min_words: many, max_words: "${{param:most}}"}}}}
  - {{uses: dedup.minhash, with: {{threshold: 2, keep: longst}}}}
  - uses: dedup.minhash
    with:
      keep: first
      """
SETTINGS = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}


class Server:
    """Speaks to a language server over its standard input and output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.asked = process, 0

    def send(self, **message: Any) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self.process.stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """What comes in; questions about settings are answered on the way."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            length = int(line.partition(b":")[2])
            while self.process.stdout.readline().strip():
                pass
            message = json.loads(self.process.stdout.read(length))
            if "method" in message and "id" in message:
                items = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
                answer = [SETTINGS if item.get("section") == "yaml" else {} for item in items]
                self.send(id=message["id"], result=answer or None)
            else:
                yield message

    def ask(self, method: str, **params: Any) -> Any:
        self.asked += 1
        self.send(id=self.asked, method=method, params=params)
        return next(message for message in self.messages() if message.get("id") == self.asked)["result"]

    def open(self, path: Path) -> list[tuple[int, str]]:
        """Open a file; return line and words of each mark."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": path.read_text("utf-8")}
        self.send(method="textDocument/didOpen", params={"textDocument": document})
        method = "textDocument/publishDiagnostics"
        found = next(message for message in self.messages() if message.get("method") == method)
        return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found["params"]["diagnostics"]]


@pytest.fixture
def server() -> Iterator[Server]:
    script, node = os.environ.get("CORPUSMILL_YAML_SERVER"), shutil.which("node")
    if not script or not node:
        pytest.skip("CORPUSMILL_YAML_SERVER names no YAML language server, or node is not there")
    command = [node, script, "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        one = Server(process)
        can = {"workspace": {"configuration": True}, "textDocument": {"completion": {}, "hover": {}}}
        one.ask("initialize", processId=None, rootUri=None, capabilities=can)
        one.send(method="initialized", params={})
        yield one
        process.kill()


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "corpusmill.schema.json").write_text(schema_text(load_registry()), encoding="utf-8")
    path = tmp_path / "pipeline.yaml"
    path.write_text(WRONG, encoding="utf-8")
    return path


def test_shipped_pipelines_have_no_marks(server: Server, repository: Path) -> None:
    """Found through their first lines."""
    assert {path.name: server.open(path) for path in (repository / "pipelines").glob("*.yaml")} == {
        "quickstart.yaml": [],
        "finetune-sentiment.yaml": [],
    }


def test_mistakes_are_marked_where_they_are(server: Server, wrong: Path) -> None:
    """Unknown keys, options and operators, wrong types, values out of range; a substitution is none of these."""
    told = [(line, words.partition(" Valid values")[0]) for line, words in server.open(wrong)]
    assert sorted(told) == [
        (4, "Property sed is not allowed."),
        (6, "Property colums is not allowed."),
        (7, "Value is not accepted."),
        (8, "Expected integer ≥ 0 (words)."),
        (9, "Value is above the maximum of 1."),
        (9, "Value is not accepted."),
    ]


def test_options_are_completed_with_their_help(server: Server, wrong: Path) -> None:
    """Those that do not stand there yet."""
    server.open(wrong)
    place = {"textDocument": {"uri": wrong.as_uri()}, "position": {"line": 12, "character": 6}}
    found = server.ask("textDocument/completion", **place)
    told = {item["label"]: str(item["documentation"]) for item in found["items"]}
    assert {"threshold", "bands", "rows", "ngram", "verify"} <= told.keys()
    assert "keep" not in told
    assert "default 0.7" in told["threshold"]
