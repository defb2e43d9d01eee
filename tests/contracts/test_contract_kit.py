"""The kit itself: usable as a call and as a class of tests, without pytest and hypothesis, and it leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import corpusmill as mill
from corpusmill.errors import UsageError
from corpusmill.testing import OperatorContract, check_operator
from corpusmill.testing.comparison import same


class Shouting(mill.Filter):
    """Drops documents in capital letters."""

    class Options(mill.Filter.Options):
        """One option."""

        most: float = mill.option(0.5, ge=0, le=1, help="largest share of capitals", unit="share")

    def measure_text(self, text: str) -> dict[str, float]:
        return {"capitals": sum(character.isupper() for character in text) / max(1, len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("capitals", self.options.most)]


class Needy(mill.Annotator):
    """Wants an option that nobody can guess."""

    class Options(mill.Annotator.Options):
        """One option."""

        model: dict[str, int] = mill.option(help="sizes by name")

    def adds(self) -> dict[str, pa.DataType]:
        return {"sizes": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"sizes": pa.array([len(self.options.model)] * batch.num_rows, pa.int64())}


class TestShouting(OperatorContract):
    """The class of tests, used as an author would."""

    operator = Shouting
    options = {"most": 0.2}  # noqa: RUF012 - as an author writes it


def test_a_class_can_be_checked() -> None:
    """A class of a test file, which is registered nowhere, travels by its file."""
    report = check_operator(Shouting, options={"most": 0.2})
    assert report.ok, f"\n{report}"
    assert report.options["most"] == 0.2
    assert {one.claim: one.verdict for one in report.findings}["travels"] == "passed"


def test_claims_can_be_chosen() -> None:
    """Only the claims that were named are in the report."""
    report = check_operator(Shouting, claims=("unicode", "nulls"))
    assert [one.claim for one in report.findings] == ["nulls", "unicode"]


def test_options_that_cannot_be_guessed_are_asked_for() -> None:
    """The message names the option and the way to give it; given, the check goes on."""
    with pytest.raises(UsageError, match="no options found to try Needy with: model") as caught:
        check_operator(Needy)
    assert "--with" in str(caught.value)
    assert check_operator(Needy, options={"model": {"a": 1}}).ok


def test_the_process_is_left_alone() -> None:
    """Checking an operator that goes elsewhere and sets variables changes nothing for the one who checks."""
    before = (Path.cwd(), dict(os.environ), list(sys.path))
    check_operator(Rude)
    assert (Path.cwd(), dict(os.environ), list(sys.path)) == before


class Rude(Shouting):
    """Does what it should not."""

    def measure_text(self, text: str) -> dict[str, float]:
        os.chdir("/")
        os.environ["RUDE"] = "yes"
        sys.path.append("/nowhere")
        return super().measure_text(text)


def test_it_needs_neither_pytest_nor_hypothesis(tmp_path: Path) -> None:
    """They are for development; `plugins check` works where they are not installed."""
    program = """
    import sys
    sys.modules.update(pytest=None, _pytest=None, hypothesis=None)
    from corpusmill.testing import check_operator
    print(check_operator("filter.length", claims=("runs",)))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout.strip() == "filter.length: 1 claim holds, 0 failed, 0 skipped", result.stderr


def test_an_authors_test_file(tmp_path: Path) -> None:
    """Five lines give a test for every claim, and a broken one fails with the kit's words."""
    source = """
    from corpusmill.testing import OperatorContract
    import corpusmill as mill

    class Nulls(mill.Filter):
        "Trips over nulls."
        def measure(self, batch):
            return {"length": [len(text) for text in self.texts(batch).to_pylist()]}
        def rules(self):
            return [mill.at_least("length", 1)]

    class TestNulls(OperatorContract):
        operator = Nulls
    """
    (tmp_path / "test_nulls.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "FAILED test_nulls.py::TestNulls::test_claim[nulls]" in result.stdout, result.stdout
    assert "smallest input: [null]" in result.stdout
    assert "1 failed" in result.stdout


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (float("nan"), float("nan"), True),
        (0.0, -0.0, False),
        (1, 1.0, False),
        (1, True, False),
        ([1, {"a": (None,)}], [1, {"a": (None,)}], True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
    ],
)
def test_sameness_is_bit_for_bit(left: Any, right: Any, expected: bool) -> None:
    """Types, signs of zero and order count; NaN is NaN."""
    assert same(left, right) is expected


def test_inexact_results_may_differ_a_little() -> None:
    """Floating-point models round differently in other company."""
    assert same([1.0, None], [1.0 + 1e-7, None], exact=False)
    assert not same([1.0], [1.1], exact=False)


@pytest.mark.parametrize(
    "options", [{"window": 3}, {"window": 40, "unit": "paragraph"}, {"window": 3, "unit": "sentence"}]
)
def test_windows_of_segments_spread_their_keys(options: dict[str, Any]) -> None:
    """An operator that compares several segments as one is held against texts that have as many."""
    report = check_operator("dedup.segments", options=options, claims=("mixed-keys",))
    assert report.ok, f"\n{report}"
    assert report.count("passed") == 1


def test_a_window_longer_than_any_sample_is_not_judged() -> None:
    """No text of the kit has a hundred paragraphs: nothing is said about keys that nobody saw."""
    report = check_operator("dedup.segments", options={"window": 100}, claims=("mixed-keys",))
    assert report.ok, f"\n{report}"
    assert report.count("passed") == 0
