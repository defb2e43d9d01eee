"""annotate.language: agreement with py3langid, Chinese and English, independence of batches."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill import CorpusmillError
from corpusmill_plugins.annotators.language import Language

SAMPLES = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
}
TRADITIONAL = "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心,並應以兄弟關係的精神相對待。"
CLASSICAL = "初十日，夜雨達旦。初涉瀟湘，遂得身歷此景，亦不以為惡。上午，雨漸止。"


def named(texts: list[str | None], **options: Any) -> tuple[list[str], list[float]]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    columns = Language(Language.Options(**options)).annotate(batch)
    return columns["language"].to_pylist(), columns["language_score"].to_pylist()


def reference() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def test_it_agrees_with_py3langid() -> None:
    """Label and score are those of py3langid on the same prefix, the score to its last declared decimal."""
    identifier = reference()
    texts = [*SAMPLES.values(), "SHOUTING IN CAPITALS ALL THE TIME", "e\u0301te\u0301", "zu viel 混合 текст"]
    languages, scores = named(texts, chinese="apart")
    for text, language, score in zip(texts, languages, scores, strict=True):
        label, probability = identifier.classify(text)
        assert language == label
        assert score == pytest.approx(probability, abs=1e-4)


def test_it_agrees_with_py3langid_on_real_pages(test_data: Path) -> None:
    """The same over some hundred languages of real text."""
    identifier = reference()
    with tarfile.open(test_data / "f_langid/udhr-html/udhr-html.tar.gz") as archive:
        texts = [
            archive.extractfile(member).read().decode()[400:1400] for member in list(archive)[1::5] if member.isfile()
        ]  # type: ignore[union-attr]
    expected = [identifier.classify(text) for text in texts]
    languages, scores = named(texts, chinese="apart")
    assert languages == [label for label, _ in expected]
    assert scores == pytest.approx([probability for _, probability in expected], abs=1e-4)


def test_english_and_chinese_in_both_scripts_are_right() -> None:
    """English is en; simplified, traditional and classical Chinese are zh; none with a doubtful score."""
    languages, scores = named([SAMPLES["en"], SAMPLES["zh"], TRADITIONAL, CLASSICAL])
    assert languages == ["en", "zh", "zh", "zh"]
    assert min(scores) > 0.5


def test_other_languages_are_not_taken_for_wanted_ones() -> None:
    """Each sample gets its own language."""
    assert named(list(SAMPLES.values()))[0] == list(SAMPLES)


def test_only_wanted_languages_are_possible() -> None:
    """`languages` restricts the answer; restricted scores sum over those only."""
    languages, scores = named([SAMPLES["de"], SAMPLES["zh"]], languages=["en", "zh"])
    assert languages == ["en", "zh"]
    assert all(0.5 <= score <= 1 for score in scores)


def test_an_unknown_language_is_an_error_with_words() -> None:
    """A code the model does not know is named."""
    with pytest.raises(CorpusmillError, match="tlh"):
        named(["x"], languages=["en", "tlh"])


def test_nothing_to_read_is_und() -> None:
    """Null, empty and featureless texts have no language and score 0."""
    assert named([None, "", "7 8 9"]) == (["und"] * 3, [0.0] * 3)


def test_only_the_prefix_counts() -> None:
    """What follows the prefix changes nothing."""
    text = SAMPLES["en"] + " "
    assert named([text], prefix=64) == named([text[:64] + SAMPLES["zh"] * 50], prefix=64)


def test_the_output_column_can_be_named() -> None:
    """`output` names both columns, and `adds` declares what `annotate` returns."""
    operator = Language(Language.Options(output="tongue"))
    columns = operator.annotate(pa.record_batch({"text": pa.array(["hello there"], pa.large_string())}))
    assert {name: column.type for name, column in columns.items()} == operator.adds()
    assert list(operator.adds()) == ["tongue", "tongue_score"]


@given(st.lists(st.none() | st.text(max_size=40) | st.sampled_from(list(SAMPLES.values())), max_size=6))
def test_rows_are_named_alone(texts: list[str | None]) -> None:
    """Label and score are the same alone, in a batch and in a slice, bit for bit."""
    languages, scores = named(texts)
    alone = [named([text]) for text in texts]
    assert (languages, scores) == ([one[0][0] for one in alone], [one[1][0] for one in alone])
    batch = pa.record_batch({"text": pa.array(["front", None, *texts], pa.large_string())}).slice(2)
    assert Language(Language.Options()).annotate(batch)["language_score"].to_pylist() == scores
