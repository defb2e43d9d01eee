"""Scores of classifiers agree with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill_plugins.evaluators.scores import classification

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(pairs=PAIRS)
def test_scores_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Accuracy, F1 by class, its mean and the confusion matrix are scikit-learn's."""
    metrics = pytest.importorskip("sklearn.metrics")
    truth, guess = np.array(pairs, np.int64).T
    found = classification(truth, guess, list("abcd"))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(truth, guess, average="macro", zero_division=0))
    assert found["confusion"] == metrics.confusion_matrix(truth, guess, labels=range(4)).tolist()
    present = sorted({int(one) for one in np.concatenate([truth, guess])})
    single = metrics.f1_score(truth, guess, average=None, labels=present, zero_division=0)
    assert list(found["f1"].values()) == pytest.approx(list(single))


@given(pairs=PAIRS)
def test_training_and_evaluation_agree(pairs: list[tuple[int, int]]) -> None:
    """The F1 that early stopping watches is the F1 that the evaluator reports."""
    from corpusmill_plugins.trainers.labelled import f1_macro

    truth, guess = np.array(pairs, np.int64).T
    assert f1_macro(truth, guess) == pytest.approx(classification(truth, guess, list("abcd"))["f1_macro"])


def test_majority_by_hand() -> None:
    """Three of five are of one class: naming it always is right 0.6 of the time."""
    found = classification(np.array([0, 1, 1, 1, 2]), np.array([0, 0, 1, 1, 1]), ["x", "y", "z"])
    assert (found["n"], found["majority_baseline"], found["accuracy"]) == (5, 0.6, 0.6)
    assert found["f1"] == {"x": pytest.approx(2 / 3), "y": pytest.approx(2 / 3), "z": 0.0}
