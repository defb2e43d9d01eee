"""Names of operators: who registered what, without importing any of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corpusmill.errors import PluginError, nearest

if TYPE_CHECKING:
    from corpusmill.plugin.operator import Operator
    from corpusmill.plugin.tracker import Tracker

KINDS = {
    "read": "reader",
    "load": "loader",
    "clean": "cleaner",
    "filter": "filter",
    "annotate": "annotator",
    "augment": "augmenter",
    "split": "splitter",
    "dedup": "dedup",
    "mix": "mixer",
    "tokenizer": "tokenizer",
    "tokens": "packer",
    "train": "trainer",
    "predict": "predictor",
    "evaluate": "evaluator",
    "write": "writer",
}
"""Prefix in `uses` -> the registry's verb for that kind."""


TRACK = "track"
"""Prefix of trackers: they follow a run (`run: {track: […]}`) and are no steps."""


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from: a distribution, or a file named in the spec (`local` = its module's name)."""

    name: str
    """How people see it: `acme-filters 1.2` or `./my_filter.py`."""
    distribution: str | None = None
    version: str | None = None
    editable: bool = False
    local: str | None = None
    plugin: str = ""
    """The name to give to `--no-plugin`."""


@dataclass(frozen=True)
class Broken:
    """A plugin that was found but cannot be used, and why."""

    origin: Origin
    cause: str


@dataclass(frozen=True)
class Registered:
    """An operator by name: what `uses` it, where its class is, what it does, who owns it."""

    uses: str
    target: str
    summary: str
    owner: str
    extra: str | None = None
    """The extra (`train`, `web`) that brings what the operator imports, if any."""
    origin: Origin = Origin("?")


@dataclass
class Registry:
    """Takes registrations; `origin` is set by the finder while a plugin registers."""

    operators: dict[str, Registered] = field(default_factory=dict)
    trackers: dict[str, Registered] = field(default_factory=dict)
    conflicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Names that two plugins claim -> both owners; using one is an error, the others' names stay usable."""
    broken: list[Broken] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    """All plugins that loaded, sorted by distribution and name."""
    origin: Origin = Origin("?")

    def add(
        self, prefix: str, name: str, target: str | type[Operator | Tracker], summary: str, extra: str | None
    ) -> None:
        """Register `prefix.name`. Raises PluginError when one plugin registers a name twice."""
        uses = f"{prefix}.{name}"
        if prefix not in KINDS and prefix != TRACK:
            raise PluginError(
                f"unknown kind {prefix!r} for {uses!r}", where=self.origin.name, expected=", ".join(KINDS)
            )
        place = target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
        names = self.trackers if prefix == TRACK else self.operators
        taken = names.get(uses)
        if taken is not None and taken.origin == self.origin:
            raise PluginError(f"{uses!r} is registered twice by {self.origin.name}", expected="one target a name")
        if taken is not None:
            self.conflicts[uses] = (taken.owner, self.origin.name)
            return
        names[uses] = Registered(uses, place, summary, self.origin.name, extra, self.origin)

    def lookup(self, uses: str) -> Registered:
        """Return the operator of this name; raises PluginError with the nearest name."""
        if uses in self.conflicts:
            first, second = self.conflicts[uses]
            raise PluginError(
                f"{uses!r} is registered twice: by {first} and by {second}",
                expected="one owner a name",
                hint=f"register it under another name in {second}"
                if second.endswith(".py")
                else "uninstall one of the two, or leave it out with --no-plugin NAME",
            )
        if uses not in self.operators:
            raise PluginError(f"unknown operator {uses!r}", expected=self._expected(uses), hint=self._hint())
        return self.operators[uses]

    def lookup_tracker(self, uses: str) -> Registered:
        """Return the tracker of this name; raises PluginError with those there are."""
        if uses in self.conflicts or uses not in self.trackers:
            known = ", ".join(sorted(self.trackers)) or "an installed tracker; there is none"
            what = f"{uses!r} is registered twice" if uses in self.conflicts else f"unknown tracker {uses!r}"
            raise PluginError(what, expected=f"one of {known}", hint="corpusmill plugins")
        return self.trackers[uses]

    def nearest(self, uses: str) -> str | None:
        """The known name closest to a misspelt one: of the same kind first, then of any."""
        prefix = uses.split(".", 1)[0] + "."
        same = [name for name in self.operators if name.startswith(prefix)]
        moved = [name for name in sorted(self.operators) if name.endswith(f".{uses.removeprefix(prefix)}")]
        known_kind = prefix[:-1] in KINDS
        return nearest(uses, same) or next(iter(moved), None) or (None if known_kind else nearest(uses, self.operators))

    def _expected(self, uses: str) -> str:
        prefix = uses.split(".", 1)[0]
        same = sorted(name for name in self.operators if name.startswith(f"{prefix}."))
        if same:
            return f"one of {', '.join(same)}"
        if prefix in KINDS:
            return f"an installed operator; no plugin has any of kind {prefix!r}"
        return f"KIND.NAME, where KIND is one of {', '.join(KINDS)}"

    def _hint(self) -> str:
        hint = "corpusmill plugins lists all operators"
        causes = "; ".join(f"{broken.origin.name} could not be loaded: {broken.cause}" for broken in self.broken)
        return f"{hint}; {causes}" if causes else hint

    def reader(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `read.NAME`: target `module:Class` (or the class), one sentence, the extra it needs."""
        self.add("read", name, target, summary, extra)

    def loader(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `load.NAME`; arguments as for `reader`."""
        self.add("load", name, target, summary, extra)

    def cleaner(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `clean.NAME`; arguments as for `reader`."""
        self.add("clean", name, target, summary, extra)

    def filter(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `filter.NAME`; arguments as for `reader`."""
        self.add("filter", name, target, summary, extra)

    def annotator(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `annotate.NAME`; arguments as for `reader`."""
        self.add("annotate", name, target, summary, extra)

    def augmenter(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `augment.NAME`; arguments as for `reader`."""
        self.add("augment", name, target, summary, extra)

    def splitter(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `split.NAME`; arguments as for `reader`."""
        self.add("split", name, target, summary, extra)

    def dedup(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `dedup.NAME`; arguments as for `reader`."""
        self.add("dedup", name, target, summary, extra)

    def mixer(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `mix.NAME`; arguments as for `reader`."""
        self.add("mix", name, target, summary, extra)

    def tokenizer(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `tokenizer.NAME`; arguments as for `reader`."""
        self.add("tokenizer", name, target, summary, extra)

    def packer(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `tokens.NAME`; arguments as for `reader`."""
        self.add("tokens", name, target, summary, extra)

    def trainer(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `train.NAME`; arguments as for `reader`."""
        self.add("train", name, target, summary, extra)

    def predictor(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `predict.NAME`; arguments as for `reader`."""
        self.add("predict", name, target, summary, extra)

    def evaluator(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `evaluate.NAME`; arguments as for `reader`."""
        self.add("evaluate", name, target, summary, extra)

    def writer(self, name: str, target: str | type[Operator], summary: str, *, extra: str | None = None) -> None:
        """Register `write.NAME`; arguments as for `reader`."""
        self.add("write", name, target, summary, extra)

    def tracker(self, name: str, target: str | type[Tracker], summary: str, *, extra: str | None = None) -> None:
        """Register `track.NAME`; arguments as for `reader`."""
        self.add(TRACK, name, target, summary, extra)
