"""Every key of the spec language with its type, range, default and meaning: the reference and the editor's schema."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from corpusmill.spec.model import DEEPEST_JSON, Limits, RunSettings


@dataclass(frozen=True)
class Key:
    """One key of a mapping.

    `type`: text, int, number, bool, size, duration, or a word of the grammar (STEP, NEEDS, PARAM, …), or such a word
    in brackets for a list. `least` and `most` bound numbers. `null`: nothing may stand after the colon.
    """

    name: str
    type: str
    help: str
    required: bool = False
    default: Any = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    null: bool = False


def _defaults(model: type, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Take each default from the typed spec, where it is in force."""
    found = {field.name: field.default for field in fields(model)}
    return tuple(replace(key, default=found[key.name]) for key in keys)


TOP = (
    Key("corpusmill", "1", "version of the spec language", required=True),
    Key("name", "text", "name of the pipeline; its runs are recorded under it", required=True),
    Key("seed", "int", "everything random is hash(seed, step, row)", default=0, least=-(2**63)),
    Key(
        "params",
        "{NAME: PARAM}",
        "values of `${param:NAME}`; `--param NAME=VALUE` gives others",
        null=True,
    ),
    Key("plugins", "[PLUGIN]", "distributions that must be installed, or plugin files beside the spec", null=True),
    Key("store", "text", "where data and run records live: a folder or a URI; `./store` if not given"),
    Key("limits", "LIMITS", "how much may go wrong, for every step; enters no fingerprint", null=True),
    Key("run", "RUN", "where and how wide it runs; enters no fingerprint", null=True),
    Key("steps", "[STEP]", "what is done, in order", required=True),
    Key("search", "SEARCH", "a search over options; checked, not yet carried out", null=True),
)

STEP = (
    Key("id", "ID", 'name of the step, for `needs` and overrides; `uses` with "." replaced by "-" if not given'),
    Key("uses", "KIND.NAME", "the operator", required=True),
    Key("with", "OPTIONS", "the operator's options", null=True),
    Key("needs", "NEEDS", "inputs: one step, a list, or a mapping of ports; the step before if not given"),
    Key("column", "text", "text column to work on", default="text"),
    Key("keep", "bool", "store the output as a dataset, so that later changes start here", default=False),
    Key("resources", "RESOURCES", "what the step may use; enters no fingerprint", null=True),
    Key("limits", "LIMITS", "the spec's limits, changed for this step", null=True),
)

LIMITS = _defaults(
    Limits,
    (
        Key("max_bad_fraction", "number", "largest share of records in quarantine", least=0, most=1),
        Key("max_bad_records", "int", "most records in quarantine", least=0),
        Key("max_document_bytes", "size", "largest document; larger ones go to quarantine"),
        Key(
            "max_json_depth",
            "int",
            "deepest nesting of a JSON record; deeper ones go to quarantine",
            least=1,
            most=DEEPEST_JSON,
        ),
        Key("max_expansion", "int", "largest ratio of decompressed to stored bytes of a file, beyond 64 MB", least=1),
        Key("max_expanded_bytes", "size", "most bytes that one compressed file holds; `null` for no bound", null=True),
        Key("on_corrupt_file", "text", "what a damaged file does to the run", choices=("fail", "quarantine")),
        Key("deadline", "duration", "longest time of one operator call on one batch; `null` for none", null=True),
    ),
)

RUN = _defaults(
    RunSettings,
    (
        Key("executor", "text", "where the work is done", choices=("auto", "inline", "ray")),
        Key("address", "text", "a Ray cluster that is running, or `auto`"),
        Key("workers", "int", "workers of a local Ray cluster", least=1),
        Key("in_flight", "int", "tasks that are out at a time", least=1),
        Key("batch_bytes", "size", "text in a batch; changes speed, never a result"),
        Key("worker_memory", "size", "memory past which a worker is replaced; if not given, a fair share of half"),
        Key("scratch", "text", "folder for files on the way"),
        Key("track", "[TRACKER]", "trackers that follow the run; `corpusmill plugins` lists them", null=True),
    ),
)

TRACKER = (
    Key("uses", "KIND.NAME", "the tracker", required=True),
    Key("with", "OPTIONS", "the tracker's options", null=True),
)

RESOURCES = (
    Key("cpus", "number", "CPU cores of one task", least=0),
    Key("gpus", "number", "GPUs of one task or actor", least=0),
    Key("memory", "size", "memory of one task or actor"),
    Key("actors", "ACTORS", "copies of a model at work: a number, or [MIN, MAX]", least=1),
    Key("workers", "int", "processes that train together", least=1),
    Key("accelerator", "text", "kind of GPU, as Ray calls it"),
)

SEARCH = (
    Key("method", "text", "how trials are chosen", required=True, choices=("grid", "random", "tpe")),
    Key("vary", "{ID.OPTION: DOMAIN}", "options to vary, each with a list of values or a range", required=True),
    Key("objective", "OBJECTIVE", "metric to make large or small: `{max: STEP.METRIC}`", required=True),
    Key("trials", "int", "most trials", least=1),
    Key("seeds", "[int]", "each trial is run with each of these seeds"),
    Key("stop", "STOP", "how hopeless trials end early: `asha`, or `{asha: {…}}`"),
    Key("concurrent", "int", "trials that run at a time", least=1),
)

PARAM = (
    Key("type", "text", "what the value must be", default="text", choices=("text", "int", "float", "bool", "path")),
    Key("default", "VALUE", "the value where `--param` gives none; without it `--param` is a must", null=True),
    Key("choices", "[VALUE]", "the values that are allowed", null=True),
    Key("help", "text", "what it is for", null=True),
)

DOMAIN = (
    Key("from", "number", "least value", required=True),
    Key("to", "number", "largest value", required=True),
    Key("scale", "text", "how values between them are drawn", default="linear", choices=("linear", "log")),
    Key("integer", "bool", "whole numbers alone", default=False),
)

MAPPINGS = {
    "SPEC": TOP,
    "STEP": STEP,
    "LIMITS": LIMITS,
    "RUN": RUN,
    "TRACKER": TRACKER,
    "RESOURCES": RESOURCES,
    "SEARCH": SEARCH,
    "PARAM": PARAM,
    "DOMAIN": DOMAIN,
}
"""Name in the grammar -> the keys of that mapping, in the order of the reference."""
