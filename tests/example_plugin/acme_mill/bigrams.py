"""train.bigrams and evaluate.bigrams: a language model of byte pairs, without torch."""

import json

from corpusmill import CorpusmillError, Documents, Evaluator, Model, Trainer, hookimpl, option


class Bigrams(Trainer):
    """Count which byte follows which, over the split `train` or over all documents where there are no splits.

    Leaves config.json and model.safetensors with `counts`: int64 (256, 256).
    """

    inputs = {"documents": Documents(roles=("train",))}
    uses_seed = False  # nothing is drawn
    exact = True

    class Options(Trainer.Options):
        checkpoint_every: int = option(
            10_000, ge=1, help="documents between checkpoints", unit="documents", affects_result=False
        )

    def reads(self):
        return (self.column,)

    def run(self, inputs, work):
        """Train; stopped and started again it goes on where it was."""
        counts, done = _resumed(work)
        for number, text in enumerate(_texts(inputs.documents, self.column)):
            if number < done:
                continue
            if number % self.options.checkpoint_every == 0 and number:
                _checkpoint(work, counts, number)
            if work.should_stop():
                _checkpoint(work, counts, number)
                return {"stopped": True}
            _count(counts, text)
        work.metrics(int(counts.sum()), bits_per_byte=_bits(counts, counts) / max(int(counts.sum()), 1))
        save(counts, work.output)
        return {"pairs": int(counts.sum())}


class BigramBits(Evaluator):
    """Say how many bits a byte costs under a model of byte pairs, for each split apart where there are some."""

    inputs = {"model": Model(), "documents": Documents()}

    def reads(self):
        return (self.column,)

    def run(self, inputs, work):
        import numpy as np

        counts = load(inputs.model.path)
        bits = {}
        for label in list(inputs.documents.splits) or [None]:
            found = np.zeros((256, 256), np.int64)
            for text in _texts(inputs.documents, self.column, label):
                _count(found, text)
            bits[label or "all"] = round(_bits(found, counts) / max(int(found.sum()), 1), 6)
        return {"bits_per_byte": bits}

    @classmethod
    def sample_model(cls, folder):
        """Leave the model that the contract kit tries this on: the kit's own is one of transformers."""
        import numpy as np

        counts = np.zeros((256, 256), np.int64)
        _count(counts, "The mill stands by the river. 磨坊在河边。")
        save(counts, folder)


def save(counts, folder):
    from safetensors.numpy import save_file

    save_file({"counts": counts}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "acme-bigrams"}), encoding="utf-8")


def load(folder):
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "acme-bigrams":
        raise CorpusmillError(
            f"the model is a {config.get('model_type')!r}",
            expected="a model of train.bigrams",
            hint="needs: {model: …}",
        )
    return load_file(folder / "model.safetensors")["counts"]


def _texts(documents, column, label=None):
    label = label or ("train" if "train" in documents.splits else None)
    for batch in documents.batches([column], split=label):
        yield from batch.column(column).to_pylist()


def _count(counts, text):
    import numpy as np

    data = np.frombuffer((text or "").encode(), np.uint8)
    np.add.at(counts, (data[:-1], data[1:]), 1)


def _bits(pairs, model):
    """Return the bits of these pairs under a model; one is added to its counts, so that nothing is impossible."""
    import numpy as np

    shares = (model + 1) / (model + 1).sum(axis=1, keepdims=True)
    return -float((pairs * np.log2(shares)).sum())


def _resumed(work):
    import numpy as np
    from safetensors.numpy import load_file

    folder = work.latest_checkpoint()
    if folder is None:
        return np.zeros((256, 256), np.int64), 0
    state = load_file(folder / "state.safetensors")
    return state["counts"].copy(), int(state["done"][0])


def _checkpoint(work, counts, done):
    import numpy as np
    from safetensors.numpy import save_file

    state = {"counts": counts, "done": np.array([done], np.int64)}
    work.checkpoint(done, lambda folder: save_file(state, folder / "state.safetensors"))


@hookimpl
def corpusmill_register(registry):
    registry.trainer("bigrams", Bigrams, "Count which byte follows which.")
    registry.evaluator("bigrams", BigramBits, "Bits a byte costs under a model of byte pairs.")
