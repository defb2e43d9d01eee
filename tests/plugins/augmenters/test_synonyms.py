"""augment.synonyms: what is replaced, by what, and that only the row decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill import Augmented, Context, InputError
from corpusmill_plugins.augmenters.synonyms import Synonyms

LINES = "# words\n\nquick\tfast,rapid\nhappy\tglad\n幽暗\t忧郁\n幽暗处\t阴影里\nsame\tsame,SAME\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lexicon")
    (folder / "words.tsv").write_text(LINES, encoding="utf-8")
    (folder / "words.json").write_text(json.dumps({"Quick": ["fast", "rapid"], "happy": ["glad"]}), encoding="utf-8")
    return folder


def augmented(base: Path, texts: list[str | None], *, seed: int = 1, step: str = "more", **options: Any) -> Augmented:
    batch = pa.record_batch(
        {"id": [f"id-{row}" for row in range(len(texts))], "text": pa.array(texts, pa.large_string())}
    )
    options = {"lexicon": "words.tsv", "rate": 1.0, **options}
    return Synonyms(Synonyms.Options(**options), Context(base=str(base), seed=seed, step=step)).augment(batch)


def copies(base: Path, text: str, **options: Any) -> list[str]:
    return augmented(base, [text], **options).batch["text"].to_pylist()[1:]


def test_originals_stay_in_front_of_their_copies(base: Path) -> None:
    """Rows come grouped by parent in input order, each with what was done."""
    found = augmented(base, ["so happy", "nothing known", "happy happy"])
    assert found.batch["text"].to_pylist() == ["so happy", "so glad", "nothing known", "happy happy", "glad glad"]
    assert found.parent.tolist() == [0, 0, 1, 2, 2]
    assert list(found.made_by) == [None, "synonyms: 1 words", None, None, "synonyms: 2 words"]
    assert found.batch["id"].to_pylist() == ["id-0", "id-0", "id-1", "id-2", "id-2"]


@pytest.mark.parametrize(
    ("text", "copy"),
    [("happy, HAPPY; Happy!", "glad, GLAD; Glad!"), ("unhappy happyness", None), ("the same", None), ("happy's", None)],
)
def test_case_is_kept_and_only_whole_words_are_replaced(base: Path, text: str, copy: str | None) -> None:
    """Small, Capital and CAPITALS stay so; parts of words stay; a word is no synonym of itself."""
    assert copies(base, text) == ([copy] if copy else [])


def test_chinese_words_match_longest_first(base: Path) -> None:
    """In a run of Han the longest entry wins, and the rest of the run stays."""
    assert copies(base, "在幽暗处，很幽暗的。") == ["在阴影里，很忧郁的。"]


def test_nulls_and_empty_texts_have_no_copies(base: Path) -> None:
    """They stay as they are, once."""
    assert augmented(base, [None, "", "happy"]).batch["text"].to_pylist() == [None, "", "happy", "glad"]


def test_copies_of_a_row_differ(base: Path) -> None:
    """Copies draw anew, equal ones are made once, and no copy equals its original."""
    found = copies(base, "quick " * 8, copies=5, rate=0.5)
    assert len(found) == len(set(found)) > 2
    assert copies(base, "happy", copies=5) == ["glad"]


def test_the_rate_is_the_share_of_known_words_replaced(base: Path) -> None:
    """At rate 0.2 about a fifth of 4,000 known words is replaced (four standard deviations), fairly among synonyms."""
    (copy,) = copies(base, "quick " * 4000, rate=0.2)
    fast, rapid = copy.count("fast"), copy.count("rapid")
    assert abs(fast + rapid - 800) < 4 * 25.3
    assert abs(fast - rapid) < 4 * 28.3


def test_seed_and_step_change_the_draw(base: Path) -> None:
    """The same seed and step give the same copy; others give others."""
    text = "quick happy " * 20
    base_copy = copies(base, text, rate=0.5)
    assert base_copy == copies(base, text, rate=0.5)
    assert base_copy != copies(base, text, rate=0.5, seed=2)
    assert base_copy != copies(base, text, rate=0.5, step="other")


def test_json_and_lines_mean_the_same(base: Path) -> None:
    """Both formats give the same copies; words are looked up in small letters."""
    assert copies(base, "quick happy " * 9, lexicon="words.json") == copies(base, "quick happy " * 9)


def test_the_lexicon_is_an_input_file() -> None:
    """The engine hashes it, under the name the spec gives it."""
    assert Synonyms(Synonyms.Options(lexicon="a/b.tsv")).files() == ("a/b.tsv",)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.tsv", None, "cannot read"),
        ("bytes.tsv", b"caf\xe9\tx\n", "cannot read"),
        ("tab.tsv", b"good\tfine\nno tab here\n", "no tab"),
        ("empty.tsv", b"# nothing\n", "no synonyms"),
        ("bad.json", b"{", "not JSON"),
        ("list.json", b"[]", "holds list"),
        ("value.json", b'{"a": "b"}', "entry 'a'"),
    ],
)
def test_a_bad_lexicon_is_an_error_with_its_place(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    """Missing, undecodable, malformed and empty lexicons are told apart."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told):
        augmented(tmp_path, ["x"], lexicon=name)


@given(st.lists(st.none() | st.text(st.sampled_from("quick hapy幽暗处 ,Q"), max_size=30), max_size=5))
def test_rows_are_augmented_alone(base: Path, texts: list[str | None]) -> None:
    """Batch cuts change nothing."""
    batch = pa.record_batch({"id": [str(row) for row in range(len(texts))], "text": pa.array(texts, pa.large_string())})
    operator = Synonyms(Synonyms.Options(lexicon="words.tsv", rate=0.7, copies=2), Context(base=str(base)))
    together = operator.augment(batch).batch.to_pylist()
    assert together == [
        row for at in range(len(texts)) for row in operator.augment(batch.slice(at, 1)).batch.to_pylist()
    ]
