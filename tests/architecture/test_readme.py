"""The README shows what works: its plugin is loaded and used, its spec is read, its links lead somewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pyarrow as pa
import pytest

from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.local import LocalPlugin
from corpusmill.plugin.resolve import resolve
from corpusmill.spec.loading import load


@pytest.fixture(scope="module", params=["README.md", "README.zh.md"])
def readme(repository: Path, request: pytest.FixtureRequest) -> str:
    return (repository / request.param).read_text(encoding="utf-8")


def block(readme: str, language: str, holds: str = "") -> str:
    found = re.findall(rf"^```{language}[^\n]*\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (one,) = (code for code in found if holds in code)
    return str(one)


def test_the_plugin_of_the_readme_works(readme: str) -> None:
    """Named in a spec it registers, resolves, and keeps and drops what it says."""
    source = block(readme, "python", "class NoEmoji").encode()
    plugin = LocalPlugin("./no_emoji.py", hashlib.sha256(source).hexdigest()[:24], source)
    operator = resolve(load_registry([plugin]).operators["filter.no-emoji"])
    texts = ["plain words", "\U0001f600\U0001f601 ok", "\U0001f600\U0001f601\U0001f602", "", None]
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    filtering = operator(operator.Options(max_share=0.5))
    verdicts = filtering.judge(batch)  # type: ignore[attr-defined]
    assert verdicts.keep.tolist() == [True, True, False, True, True]
    assert verdicts.value[2] == 1.0


def test_the_spec_of_the_readme_is_well_formed(readme: str, tmp_path: Path) -> None:
    """It is read without a problem, and each step names an operator with options it accepts."""
    path = tmp_path / "reviews.yaml"
    path.write_text(block(readme, "yaml", "name: reviews"), encoding="utf-8")
    spec, problems = load(path)
    assert not problems
    assert spec is not None
    operators = load_registry().operators
    for step in spec.steps:
        resolve(operators[step.uses]).Options.model_validate(step.options)


def test_links_of_the_documents_lead_somewhere(repository: Path) -> None:
    """Every relative link of the README and the guides names a file that exists."""
    documents = [*repository.glob("README*.md"), repository / "CHANGELOG.md", *(repository / "docs").glob("*.md")]
    dead = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert not dead


def test_the_readme_stays_short(readme: str) -> None:
    """Two screens and a half; the rest belongs to docs/."""
    assert readme.count("\n") <= 165


def test_both_languages_say_the_same(repository: Path) -> None:
    """The Chinese README has the sections, links, promises and commands of the English one."""
    english, chinese = ((repository / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    for pattern in (
        r"^(#+) ",
        r"\]\(((?!README)[^)]+)\)",
        r"^(\d)\. ",
        r"^    (corpusmill \w+|make \w+)",
        r"^```(\w*)$",
    ):
        assert re.findall(pattern, english, re.MULTILINE) == re.findall(pattern, chinese, re.MULTILINE)
