"""What one process keeps between units: the store, the registry, built operators, scratch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from corpusmill.dataset.artifact import artifact_folder, open_artifact
from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.store import Store
from corpusmill.errors import CorpusmillError
from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.local import LocalPlugin
from corpusmill.plugin.operator import Context
from corpusmill.plugin.resolve import resolve
from corpusmill.plugin.surroundings import undisturbed
from corpusmill.runner.whole_call import is_disk_full, raised

_KEPT_OPERATORS = 64


class Workspace:
    """Built once per worker process; operators and verified files stay warm in it.

    `settings` is JSON-able and the same for all units of a run: store URI, local plugins (name, hash, source),
    scratch folder, blocked plugins.
    """

    def __init__(self, settings: Mapping[str, Any]):
        self.settings = settings
        self.store = Store(settings["store"])
        self.scratch = Path(settings["scratch"])
        local = [LocalPlugin(one["name"], one["hash"], one["source"].encode("latin-1")) for one in settings["plugins"]]
        self.registry = load_registry(local, blocked=settings.get("blocked", ()))
        self.secrets: Mapping[str, str] = settings.get("secrets", {})
        """Values that must be in nothing a unit records -> what is shown in their place."""
        self.pools: Any = None
        """Pools of model actors that serve steps of the unit at hand; None where operators run in place."""
        self._operators: dict[str, Any] = {}

    def operator(self, recipe: Mapping[str, Any]) -> Any:
        """Return the operator of a recipe, built and set up once.

        A recipe holds uses, options, column, step, seed, base, device, and the artifacts of ports by digest; that of an
        encoder has its tokenizer's digest in place of options; `compare` (the type of evidence) and `cut` make of it
        what is asked about pairs, or about cut documents. Raises OperatorError for one that cannot be set up.
        """
        key = hash_json(recipe)
        if key not in self._operators:
            if len(self._operators) >= _KEPT_OPERATORS:
                self._operators.pop(next(iter(self._operators)))
            self._operators[key] = self._build(recipe, ready=True)
        return self._operators[key]

    def declared(self, recipe: Mapping[str, Any]) -> Any:
        """Return the operator of a recipe as it says what it does, not set up: no model is loaded."""
        return self._build(recipe, ready=False)

    def crumb_path(self, key: str) -> Path:
        """Return where the breadcrumb of a unit lies; the driver on the same machine reads it after a death."""
        return self.scratch / "crumbs" / key

    def artifact(self, digest: str) -> SimpleNamespace:
        """Return a handle on an artifact: digest and a local, verified folder."""
        return SimpleNamespace(digest=digest, path=artifact_folder(self.store, open_artifact(self.store, digest)))

    def _build(self, recipe: Mapping[str, Any], *, ready: bool) -> Any:
        with undisturbed():
            try:
                return self._make(recipe, ready=ready)
            except CorpusmillError:
                raise
            except Exception as error:
                if is_disk_full(error):
                    raise
                raise raised(recipe, error, " while it was set up") from error

    def _make(self, recipe: Mapping[str, Any], *, ready: bool) -> Any:
        if "tokenizer" in recipe:
            from corpusmill.runner.encoder import Encoder

            folder = self.artifact(recipe["tokenizer"]).path
            return Encoder(folder, recipe["column"], add_end=recipe["add_end"])
        if "compare" in recipe:
            from corpusmill.runner.paired import Paired

            plain = {name: value for name, value in recipe.items() if name != "compare"}
            return Paired(self._make(plain, ready=ready), recipe["compare"])
        if "cut" in recipe:
            from corpusmill.runner.measured_cuts import CutMeasure

            plain = {name: value for name, value in recipe.items() if name != "cut"}
            return CutMeasure(self._make(plain, ready=ready))
        operator_class = resolve(self.registry.lookup(recipe["uses"]))
        options = operator_class.Options.model_validate(recipe["options"])
        inputs = {port: self.artifact(digest) for port, digest in recipe.get("artifacts", {}).items()}
        context = Context(
            step=recipe["step"],
            seed=recipe["seed"],
            column=recipe["column"],
            base=recipe["base"],
            inputs=inputs,
            device=recipe.get("device", "cpu"),
        )
        operator = operator_class(options, context)
        if recipe.get("state") and hasattr(operator, "restore"):
            operator.restore(recipe["state"])
        if ready:
            operator.setup()
        return operator
