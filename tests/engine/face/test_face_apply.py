"""`corpusmill.apply`: one operator on texts, arrays, tables and datasets; results by kind; errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import corpusmill
from corpusmill.face.running import Run

HOUSE = Path(__file__).parents[2] / "golden" / "try" / "house_rules.py"
TEXTS = ["one two three four five six", "a b", None, "", "one two three four five six"]


def test_filters_give_verdicts_and_signals() -> None:
    """One verdict a row with rule, value and threshold, every measured value, and the rows that stay."""
    result = corpusmill.apply("filter.length", TEXTS, min_words=3)
    assert isinstance(result, corpusmill.Judged)
    assert result.kept.tolist() == [True, False, False, False, True]
    assert result.texts == [TEXTS[0], TEXTS[4]]
    assert result.rows.tolist() == [0, 4]
    assert result.signals["words"].tolist() == [6, 2, 0, 0, 6]
    assert result.verdicts[0] == corpusmill.Verdict(True)
    assert result.verdicts[1] == corpusmill.Verdict(False, "too-few-words", 2.0, 3.0)
    assert len(result) == 2


def test_cleaners_give_texts() -> None:
    """Changed rows are marked, dropped ones have a verdict."""
    result = upper(["ab", "AB", "12"])
    assert isinstance(result, corpusmill.Cleaned)
    assert result.texts == ["AB", "AB"]
    assert result.changed.tolist() == [True, False, False]
    assert [one.rule for one in result.verdicts] == [None, None, "dropped"]


def upper(texts: Any, **more: Any) -> Any:
    return corpusmill.apply("clean.upper", texts, plugins=[str(HOUSE)], **more)


def test_annotators_give_columns() -> None:
    """As Arrow columns and in the table, beside what was there."""
    result = corpusmill.apply("annotate.language", pa.table({"text": TEXTS, "n": range(5)}))
    assert isinstance(result, corpusmill.Annotated)
    assert list(result.columns) == ["language", "language_score"]
    assert result.table.column_names == ["text", "n", "language", "language_score"]
    assert result.columns["language"][0].as_py() == "en"
    assert result.kept.all()


def test_splitters_give_labels_that_depend_on_the_seed() -> None:
    """And on the rows' own ids where they have some."""
    texts = [f"text {number}" for number in range(200)]
    labels = [corpusmill.apply("split.by-hash", texts, seed=seed, train=0.5, test=0.5).labels for seed in (1, 1, 2)]
    assert isinstance(labels[0], list)
    assert labels[0] == labels[1] != labels[2]
    ids = pa.table({"id": [f"{number:032x}" for number in range(200)], "text": texts})
    assert corpusmill.apply("split.by-hash", ids, seed=1, train=0.5, test=0.5).labels != labels[0]


def test_augmenters_give_rows_with_their_parents() -> None:
    """Originals stay with no deed."""
    result = corpusmill.apply("augment.twice", ["low", "UP"], plugins=[str(HOUSE)])
    assert isinstance(result, corpusmill.Grown)
    assert result.texts == ["low", "low", "UP"]
    assert result.rows.tolist() == [0, 0, 1]
    assert result.made_by == [None, "copy", None]


@pytest.mark.parametrize("with_ids", [True, False])
def test_deduplicators_name_the_row_that_stays(with_ids: bool) -> None:
    """By number, with the similarity; the table keeps the columns that were given, in their order."""
    long = "the same words come here again and again for everyone to read " * 4
    table = pa.table({"n": [1, 2, 3], "text": [long, "other", long]})
    table = table.append_column("id", pa.array(["x", "y", "x"])) if with_ids else table
    for uses in ("dedup.exact", "dedup.minhash"):
        result = corpusmill.apply(uses, table)
        assert isinstance(result, corpusmill.Deduplicated)
        assert result.kept.tolist() == [True, True, False]
        assert (result.verdicts[2].other, result.verdicts[2].value) == (0, 1.0)
        assert result.table.column_names == table.column_names
        assert result.table["n"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "texts",
    [
        ["ab", None],
        ("ab", None),
        iter(["ab", None]),
        pa.array(["ab", None]),
        pa.array(["ab", None], pa.large_string()),
        pa.chunked_array([["ab"], pa.array([None], pa.string())]),
        pa.array(["ab", None]).dictionary_encode(),
        pa.table({"text": ["ab", None]}),
        pa.record_batch({"text": ["ab", None]}),
        pa.table({"text": ["x", "ab", None, "y"]}).slice(1, 2),
    ],
    ids=lambda texts: type(texts).__name__,
)
def test_texts_come_in_many_forms(texts: Any) -> None:
    """Lists, tuples, iterators, Arrow arrays of any string type, tables, slices."""
    assert corpusmill.apply("filter.length", texts, min_chars=2).signals["characters"].tolist() == [2, 0]


def test_frames_and_datasets_are_tables(done: Run) -> None:
    """A DataFrame's columns and a dataset's rows."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"review": ["ab", "abc"], "n": [1, 2]})
    assert corpusmill.apply("filter.length", frame, text_column="review", min_chars=3).table["n"].to_pylist() == [2]
    dataset = done.dataset("split")
    result = corpusmill.apply("filter.where", dataset, column="stars", at_most=1)
    assert set(result.table["stars"].to_pylist()) == {0, 1}
    assert result.table.schema == dataset.schema


@pytest.mark.parametrize(
    "uses", ["filter.length", "clean.unicode", "annotate.language", "dedup.exact", "split.by-hash"]
)
def test_no_rows_give_no_rows(uses: str) -> None:
    """With the columns that rows would have."""
    options = {"filter.length": {"min_words": 1}, "split.by-hash": {"train": 0.5, "test": 0.5}}.get(uses, {})
    result = corpusmill.apply(uses, [], **options)
    assert len(result) == result.size == 0
    assert result.texts == []


def test_classes_work_as_names_do() -> None:
    """For an operator that is written in the notebook itself."""

    class Digits(corpusmill.Filter):
        """Few digits."""

        class Options(corpusmill.Options):
            """Options."""

            most: float = corpusmill.option(0.5, help="largest share")

        def measure_text(self, text: str) -> dict[str, float]:
            return {"digits": sum(map(str.isdigit, text)) / max(len(text), 1)}

        def rules(self) -> list[corpusmill.Rule]:
            return [corpusmill.at_most("digits", self.options.most)]

    assert corpusmill.apply(Digits, ["a1", "123"]).kept.tolist() == [True, False]
    assert corpusmill.apply(Digits, ["a1", "123"], most=0.1).kept.tolist() == [False, False]


def test_results_do_not_depend_on_how_rows_are_cut() -> None:
    """More rows than a batch holds, in many chunks, give what each gives alone."""
    texts = [f"word {'x ' * (number % 7)}" for number in range(20_000)]
    chunked = pa.chunked_array([pa.array(texts[start : start + 999]) for start in range(0, len(texts), 999)])
    result = corpusmill.apply("filter.length", chunked, min_words=4)
    assert result.kept.tolist() == [len(text.split()) >= 4 for text in texts]
    assert np.array_equal(result.rows, np.flatnonzero(result.kept))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: corpusmill.apply("filter.lenght", ["x"]), "PluginError", "did you mean 'filter.length'"),
        (lambda: corpusmill.apply("filter.length", ["x"], min_wrds=1), "SpecError", "nearest: min_words"),
        (lambda: corpusmill.apply("filter.length", ["x"], min_words="few"), "SpecError", "option min_words is 'few'"),
        (lambda: corpusmill.apply("filter.length", "x", min_words=1), "UsageError", "str instead of texts"),
        (lambda: corpusmill.apply("filter.length", 7, min_words=1), "UsageError", "int instead of texts"),
        (lambda: corpusmill.apply("filter.length", ["x", 7], min_words=1), "UsageError", "item 1 is no text: 7"),
        (lambda: corpusmill.apply("filter.length", ["\ud800"], min_words=1), "UsageError", "item 0 is no text"),
        (lambda: corpusmill.apply("filter.length", pa.array([1]), min_words=1), "UsageError", "int64, not text"),
        (
            lambda: corpusmill.apply("filter.length", pa.table({"txt": ["x"]}), min_words=1),
            "UsageError",
            "text_column='txt'",
        ),
        (lambda: corpusmill.apply("filter.where", ["x"], column="n", at_most=1), "UsageError", "reads the column 'n'"),
        (lambda: corpusmill.apply("tokenizer.bpe", ["x"]), "UsageError", "does not work on rows"),
        (lambda: corpusmill.apply(HOUSE, ["x"]), "UsageError", "apply('filter.short', texts, plugins="),
        (lambda: corpusmill.apply("annotate.perplexity", ["x"]), "UsageError", "needs a model on its input 'model'"),
        (
            lambda: corpusmill.apply("filter.length", ["x"], min_words=1, inputs={"model": "."}),
            "UsageError",
            "has no input 'model'",
        ),
    ],
)
def test_what_is_wrong_is_told(call: Any, error: str, words: str) -> None:
    """As the expected kind of CorpusmillError, with what to do."""
    with pytest.raises(corpusmill.CorpusmillError) as caught:
        call()
    assert type(caught.value).__name__ == error
    assert words in str(caught.value)


def test_what_an_operator_raises_names_its_line_and_the_row() -> None:
    """In the plugin's own file; the cause stays attached."""
    with pytest.raises(corpusmill.OperatorError) as caught:
        upper(["fine", "fine too", "a boom here"])
    assert caught.value.what == "clean.upper raised ValueError: boom found"
    assert caught.value.where is not None
    assert "house_rules.py:" in caught.value.where
    assert caught.value.where.endswith("row 2")
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_a_deduplicator_raises_names_the_row(tmp_path: Path) -> None:
    """A run would go on without the document; here whoever asks wants to know."""
    (tmp_path / "picky.py").write_text(PICKY)
    with pytest.raises(corpusmill.OperatorError, match=r"^dedup\.picky raised ValueError: boom found\n") as caught:
        corpusmill.apply(str(tmp_path / "picky.py"), ["fine", "fine", "boom"])
    assert caught.value.where == "row 2"


PICKY = '''
"""Find equal texts, but no boom."""

import numpy as np
from corpusmill import Deduplicator, Sketch, hookimpl


class Picky(Deduplicator):
    """Keep one of several equal texts."""

    def sketch(self, batch):
        texts = batch.column(self.column).to_pylist()
        if "boom" in texts:
            raise ValueError("boom found")
        return Sketch(np.array([hash(text) % 2**64 for text in texts], np.uint64), np.arange(len(texts)))


@hookimpl
def corpusmill_register(registry):
    registry.dedup("picky", Picky, "Keep one of several equal texts.")
'''
