"""pandas left alone until somebody imports it: pyarrow would do so at the first list it converts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

NAME = "pandas"


def postpone_pandas() -> None:
    """Keep pyarrow from importing pandas on its own, a third of a second in each process where it is installed.

    Once pandas is imported, by a plugin or by pyarrow's `to_pandas`, pyarrow learns of it and treats its series and
    frames as ever.
    """
    if NAME in sys.modules or any(isinstance(one, _Watch) for one in sys.meta_path):
        return
    import pyarrow as pa

    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([0])  # pyarrow asks once, and remembers that there was no pandas
    finally:
        sys.meta_path.remove(absent)
    sys.meta_path.insert(0, _Watch())


class _Absent(MetaPathFinder):
    """A machine without pandas."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == NAME:
            raise ModuleNotFoundError(f"No module named {NAME!r}", name=NAME)
        return None


class _Watch(MetaPathFinder):
    """Tells pyarrow when pandas is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader)
        return spec


class _Telling(Loader):
    """Loads pandas as its own loader does, then has pyarrow look again."""

    def __init__(self, loader: Loader):
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        import pyarrow.lib

        _ = pyarrow.lib._pandas_api.pd  # asking for it makes pyarrow try again
