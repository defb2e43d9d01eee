"""Plugin files that travel as bytes: imported under a name made from their content, in any process."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib.abc import InspectLoader
from pathlib import Path
from types import ModuleType

from corpusmill.errors import PluginError


@dataclass(frozen=True)
class LocalPlugin:
    """A plugin file of the spec: its name as written, the hash of its bytes, the bytes."""

    name: str
    hash: str
    source: bytes

    @property
    def module(self) -> str:
        """The name it is imported under; the same bytes give the same name everywhere, so pickles resolve."""
        return f"corpusmill_local_{self.hash}"

    @property
    def stem(self) -> str:
        """The file's own name, which targets in it may use: `my_filter:NoEmoji`."""
        return Path(self.name).stem

    @classmethod
    def read(cls, name: str, base: Path) -> LocalPlugin:
        """Read the file that the spec names, relative to the spec's folder; raises PluginError."""
        try:
            source = (base / name).read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PluginError(f"plugin file {name!r} cannot be read: {reason}", expected="a Python file") from error
        return cls(name, hashlib.sha256(source).hexdigest()[:24], source)

    def load(self) -> ModuleType:
        """Import the module, once per process; what the file raises while it runs passes through."""
        if self.module in sys.modules:
            return sys.modules[self.module]
        spec = importlib.util.spec_from_loader(self.module, _BytesLoader(self), origin=self.name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[self.module]
            raise
        return module


def home_of(operator: type) -> str:
    """Return where a class is from: its plugin file as the spec names it, or its installed module."""
    loader = getattr(getattr(sys.modules.get(operator.__module__), "__spec__", None), "loader", None)
    return loader.plugin.name if isinstance(loader, _BytesLoader) else operator.__module__


class _BytesLoader(InspectLoader):
    """Gives the import system the bytes; `get_source` lets tracebacks show the plugin's lines."""

    def __init__(self, plugin: LocalPlugin) -> None:
        self.plugin = plugin

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self.plugin.source)

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        return compile(self.plugin.source, self.plugin.name, "exec", dont_inherit=True)
