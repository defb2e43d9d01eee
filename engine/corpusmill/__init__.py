"""corpusmill: raw text to a clean corpus and on to an evaluated model. This is the public face; it loads lazily."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpusmill.errors import CorpusmillError, CorruptFile, InputError, OperatorError, SpecError, UsageError
    from corpusmill.face.applied import Annotated, Applied, Cleaned, Deduplicated, Grown, Judged, Labelled, Verdict
    from corpusmill.face.apply import apply
    from corpusmill.face.dataset import Dataset
    from corpusmill.face.opening import Artifact, open_artifact, open_tokens
    from corpusmill.face.opening import open as open  # noqa: A004 - not in __all__, but public
    from corpusmill.face.running import Run, run
    from corpusmill.face.tokens import TokenDataset
    from corpusmill.plugin.dedup_kind import Deduplicator, Sketch
    from corpusmill.plugin.global_kinds import (
        Evaluator,
        Loader,
        Packer,
        Predictor,
        TokenizerTrainer,
        Trainer,
        Writer,
    )
    from corpusmill.plugin.hookspecs import hookimpl
    from corpusmill.plugin.operator import Context, GlobalOperator, Operator
    from corpusmill.plugin.option import Duration, Options, Secret, Size, option
    from corpusmill.plugin.ports import Documents, Metrics, Model, Port, Tokenizer, Tokens
    from corpusmill.plugin.reader import InputFile, Reader, ReadLimits, Reject, Slice
    from corpusmill.plugin.row_kinds import Annotator, Augmented, Augmenter, Cleaner, Filter, Splitter
    from corpusmill.plugin.tracker import Tracker
    from corpusmill.plugin.verdicts import KEPT, Rule, Verdicts, at_least, at_most, decide
    from corpusmill.plugin.work import (
        DocumentsInput,
        MetricsInput,
        ModelInput,
        TokenizerInput,
        TokensInput,
        Windows,
        Work,
    )

# Arrow's allocator gives freed memory back to the system every second, and a busy worker takes it again at once: with
# cleared pages, a twentieth of a cheap chain's time. It reads this when it is loaded, which happens after this line.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")  # milliseconds

__version__ = "0.1.0"
API = 1
"""Version of the plugin interface; a plugin written for another one is refused with words."""

_PLACES = {
    "errors": ("CorpusmillError", "CorruptFile", "InputError", "OperatorError", "SpecError", "UsageError"),
    "face.applied": ("Annotated", "Applied", "Cleaned", "Deduplicated", "Grown", "Judged", "Labelled", "Verdict"),
    "face.apply": ("apply",),
    "face.dataset": ("Dataset",),
    "face.opening": ("Artifact", "open", "open_artifact", "open_tokens"),
    "face.running": ("Run", "run"),
    "face.tokens": ("TokenDataset",),
    "plugin.dedup_kind": ("Deduplicator", "Sketch"),
    "plugin.global_kinds": ("Evaluator", "Loader", "Packer", "Predictor", "TokenizerTrainer", "Trainer", "Writer"),
    "plugin.hookspecs": ("hookimpl",),
    "plugin.operator": ("Context", "GlobalOperator", "Operator"),
    "plugin.option": ("Duration", "Options", "Secret", "Size", "option"),
    "plugin.ports": ("Documents", "Metrics", "Model", "Port", "Tokenizer", "Tokens"),
    "plugin.reader": ("InputFile", "ReadLimits", "Reader", "Reject", "Slice"),
    "plugin.row_kinds": ("Annotator", "Augmented", "Augmenter", "Cleaner", "Filter", "Splitter"),
    "plugin.tracker": ("Tracker",),
    "plugin.verdicts": ("KEPT", "Rule", "Verdicts", "at_least", "at_most", "decide"),
    "plugin.work": (
        "DocumentsInput",
        "MetricsInput",
        "ModelInput",
        "TokenizerInput",
        "TokensInput",
        "Windows",
        "Work",
    ),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "API",
    "KEPT",
    "Annotated",
    "Annotator",
    "Applied",
    "Artifact",
    "Augmented",
    "Augmenter",
    "Cleaned",
    "Cleaner",
    "Context",
    "CorpusmillError",
    "CorruptFile",
    "Dataset",
    "Deduplicated",
    "Deduplicator",
    "Documents",
    "DocumentsInput",
    "Duration",
    "Evaluator",
    "Filter",
    "GlobalOperator",
    "Grown",
    "InputError",
    "InputFile",
    "Judged",
    "Labelled",
    "Loader",
    "Metrics",
    "MetricsInput",
    "Model",
    "ModelInput",
    "Operator",
    "OperatorError",
    "Options",
    "Packer",
    "Port",
    "Predictor",
    "ReadLimits",
    "Reader",
    "Reject",
    "Rule",
    "Run",
    "Secret",
    "Size",
    "Sketch",
    "Slice",
    "SpecError",
    "Splitter",
    "TokenDataset",
    "Tokenizer",
    "TokenizerInput",
    "TokenizerTrainer",
    "Tokens",
    "TokensInput",
    "Tracker",
    "Trainer",
    "UsageError",
    "Verdict",
    "Verdicts",
    "Windows",
    "Work",
    "Writer",
    "__version__",
    "apply",
    "at_least",
    "at_most",
    "decide",
    "hookimpl",
    "open_artifact",
    "open_tokens",
    "option",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that `import corpusmill` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'corpusmill' has no attribute {name!r}")
    value = getattr(import_module(f"corpusmill.{_HOME[name]}"), name)
    globals()[name] = value
    return value
