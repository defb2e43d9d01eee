"""The kit's stand-ins keep the promises of what they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpusmill import Evaluator, Model
from corpusmill.errors import UsageError
from corpusmill.testing import FakeDocuments, FakeWork, Samples, check_operator, shared_samples
from corpusmill.testing.corpus import make_batch


def test_work_survives_a_restart(tmp_path: Path) -> None:
    """Units and checkpoints are there for the next FakeWork over the folder; the output is not."""
    work = FakeWork(tmp_path)
    (work.output / "half.txt").write_text("half")
    work.unit("count", lambda folder: (folder / "counts").write_text("7") and None)
    work.checkpoint(3, lambda folder: (folder / "state").write_text("three") and None)
    work.checkpoint(12, lambda folder: (folder / "state").write_text("twelve") and None)
    again = FakeWork(tmp_path)
    assert again.files() == {}
    made = again.unit("count", lambda folder: pytest.fail("made again"))
    assert (made / "counts").read_text() == "7"
    latest = again.latest_checkpoint()
    assert latest is not None
    assert (latest / "state").read_text() == "twelve"


def test_work_stops_when_asked_often_enough(tmp_path: Path) -> None:
    """`stop_after` questions are answered with no."""
    work = FakeWork(tmp_path, stop_after=2)
    assert [work.should_stop() for _ in range(4)] == [False, False, True, True]


def test_a_failed_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    """A checkpoint exists whole or not at all."""
    work = FakeWork(tmp_path)
    with pytest.raises(OSError, match="disk full"):
        work.checkpoint(1, _fails)
    assert work.latest_checkpoint() is None


def _fails(folder: Path) -> None:
    (folder / "state").write_text("half")
    raise OSError("disk full")


def test_documents_come_as_slices_with_the_columns_asked_for() -> None:
    """Order, splits and the questions are kept."""
    rows = make_batch(["a", None, "c", "d"], ["split"])
    documents = FakeDocuments(rows, batch_rows=3)
    texts = [text for batch in documents.batches(["text"]) for text in batch["text"].to_pylist()]
    assert texts == ["a", None, "c", "d"]
    assert documents.asked == {"text"}
    assert sum(documents.splits.values()) == documents.rows


def test_windows_predict_every_token_once() -> None:
    """As in the engine: one id is shared by neighbours, -1 pads the last."""
    windows = shared_samples().tokens.windows("train")
    taken = windows.take(np.arange(len(windows)))
    assert [int((row >= 0).sum()) for row in taken] == windows.lengths().tolist()
    assert (taken[:-1, -1] == taken[1:, 0]).all()


def test_the_sample_model_serves_two_heads() -> None:
    """One folder loads as a language model and as a classifier of `a` and `b`."""
    transformers = pytest.importorskip("transformers")
    folder = str(shared_samples().model.path)
    transformers.utils.logging.set_verbosity_error()
    classifier = transformers.AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    assert classifier.config.id2label == {0: "a", 1: "b"}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


def test_samples_are_made_alike(tmp_path: Path) -> None:
    """Two folders of samples hold the same bytes, so that a twin may make its own."""
    pytest.importorskip("safetensors")
    one, other = Samples(tmp_path / "one"), Samples(tmp_path / "other")
    for samples in (one, other):
        assert samples.model.path.is_dir()
    assert one.files() == other.files()


class Own(Evaluator):
    """Counts the bytes of a model of its own."""

    inputs = {"model": Model()}  # noqa: RUF012 - as people write it

    def run(self, inputs, work):  # type: ignore[no-untyped-def]
        return {"bytes": (inputs.model.path / "config.json").stat().st_size}

    @classmethod
    def sample_model(cls, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "own"}')


def test_an_operator_may_bring_its_own_model(tmp_path: Path) -> None:
    """It is made once, below the samples, and is what the port `model` is bound to here and in the twin."""
    samples = Samples(tmp_path).of(Own)
    assert (samples.model.path / "config.json").read_text() == '{"model_type": "own"}'
    assert samples.folder == Samples(tmp_path).of(Own).folder != tmp_path
    assert Samples(tmp_path).of(Evaluator).folder == tmp_path
    assert check_operator(Own, samples=Samples(tmp_path)).ok


def test_a_sample_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With the class and what was raised; nothing half-made stays."""

    class Broken(Own):
        @classmethod
        def sample_model(cls, folder: Path) -> None:
            raise KeyError("weights")

    with pytest.raises(UsageError, match=r"sample_model\(\) of Broken raised KeyError: 'weights'"):
        check_operator(Broken, samples=Samples(tmp_path))
    assert list(tmp_path.iterdir()) == []
