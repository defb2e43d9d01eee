"""train.replies: a language model learns to answer; a task for the built-in training loop."""

from corpusmill import hookimpl, option
from corpusmill_plugins.trainers import TaskTrainer


class Replies(TaskTrainer):
    """Fine-tune a language model on prompts (the text) and replies. Rows without a reply are left out.

    The loss is that of the replies' tokens alone, each with the same weight, however batches are cut.
    """

    unit = "tokens"

    class Options(TaskTrainer.Options):
        reply: str = option("reply", help="column with the reply")

    def reads(self):
        return (self.column, self.options.reply)

    def encode(self, row, tokenizer):
        if row[self.options.reply] is None:
            return None
        prompt = tokenizer(row[self.column])["input_ids"]
        reply = [*tokenizer(row[self.options.reply])["input_ids"], tokenizer.eos_token_id]
        return {"input_ids": prompt + reply, "labels": [-100] * len(prompt) + reply}

    def count(self, batch):
        return int((batch["labels"][:, 1:] >= 0).sum())

    def loss(self, output, batch):
        from torch.nn.functional import cross_entropy

        logits, labels = output.logits[:, :-1].float(), batch["labels"][:, 1:]
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


@hookimpl
def corpusmill_register(registry):
    registry.trainer("replies", Replies, "Fine-tune a language model to reply.", extra="models")
