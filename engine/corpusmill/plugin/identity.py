"""Which code an operator is: what must change in a fingerprint when the code behind a name changes."""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corpusmill.plugin.operator import Operator
    from corpusmill.plugin.registry import Registered

_OWN = "corpusmill"


def code_identity(registered: Registered, operator: type[Operator]) -> str:
    """Return the identity of an operator's code as one line.

    Built-ins: the class's `version` alone (golden digests guard it). Installed plugins: distribution, its version and
    the class's. Plugin files and editable installs: a hash of their source. `depends` adds those distributions'
    versions.
    """
    origin = registered.origin
    if origin.local is not None:
        code = f"file-{origin.local.rpartition('_')[2]}:{operator.version}"
    elif origin.distribution == _OWN:
        code = f"built-in:{operator.version}"
    elif origin.editable:
        code = f"{origin.distribution}@{_source_hash(operator.__module__)}:{operator.version}"
    else:
        code = f"{origin.distribution}=={origin.version}:{operator.version}"
    return " ".join([code, *(f"{name}=={_version(name)}" for name in sorted(operator.depends))])


def _source_hash(module: str) -> str:
    """Hash of all Python files of the module's package: a class may import its siblings."""
    package = import_module(module.partition(".")[0])
    root = Path(package.__file__ or sys.modules[module].__file__ or "")
    files = sorted(root.parent.rglob("*.py")) if root.name == "__init__.py" else [root]
    state = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        state.update(f"{file.relative_to(root.parent).as_posix()}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()[:24]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
