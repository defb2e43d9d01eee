"""annotate.verdict: what a classifier calls each document, and how sure it is."""

from corpusmill import Annotator, Documents, Model, hookimpl, option


class Verdict(Annotator):
    """Add the class that a model gives each document, and its probability; null for documents without text."""

    depends = ("torch", "transformers")
    exact = False  # floating point: other machines may round differently
    expensive = True  # worth storing
    inputs = {"documents": Documents(), "model": Model()}
    resources = {"cpus": 1, "gpus": 0, "actors": 2}

    class Options(Annotator.Options):
        output: str = option("verdict", help="name of the column; the probability goes to NAME_score")
        max_tokens: int = option(512, ge=1, help="first tokens of a document that are read", unit="tokens")

    def adds(self):
        import pyarrow as pa

        return {self.options.output: pa.large_string(), f"{self.options.output}_score": pa.float64()}

    def setup(self):
        """Load the model, once in each process that works for this step."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # progress is the engine's
        folder = str(self.context.inputs["model"].path)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self.model = model.eval().to(self.context.device)

    def annotate(self, batch):
        import pyarrow as pa

        names, scores = zip(*map(self._judge, self.texts(batch).to_pylist()), strict=True) if len(batch) else ((), ())
        output = self.options.output
        return {output: pa.array(names, pa.large_string()), f"{output}_score": pa.array(scores, pa.float64())}

    def _judge(self, text):
        """Return class and probability. One text at a time: no padding, so no neighbour can change a score."""
        import torch

        limit = min(self.options.max_tokens, getattr(self.model.config, "max_position_embeddings", 1 << 30))
        ids = self.tokenizer(text or "", truncation=True, max_length=limit, return_tensors="pt")["input_ids"]
        if not ids.numel():
            return None, None
        with torch.inference_mode():
            shares = self.model(input_ids=ids.long().to(self.context.device)).logits[0].float().softmax(-1)
        best = int(shares.argmax())
        return self.model.config.id2label[best], round(float(shares[best]), 6)


@hookimpl
def corpusmill_register(registry):
    registry.annotator("verdict", Verdict, "Add what a classifier calls each document.", extra="models")
