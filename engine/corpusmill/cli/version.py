"""`corpusmill version`: versions by metadata, importing none of what is named."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from corpusmill.cli.terminal import say_json, say_rows

NAMES = ("pyarrow", "numpy", "numba", "pydantic", "ray", "tokenizers", "datasketch", "torch", "transformers")


@click.command(epilog="Example: corpusmill version --json")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def version(as_json: bool) -> None:
    """Print the versions of corpusmill, Python and the libraries that can change a result."""
    found = {"corpusmill": _version("corpusmill"), "python": platform.python_version()}
    found |= {name: _version(name) for name in NAMES}
    if as_json:
        say_json(found)
    else:
        say_rows([(name, text or "not installed") for name, text in found.items()], indent=0)


def _version(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None
