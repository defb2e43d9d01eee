"""What is installed: the wheel's contents, and the lock that `make setup` follows."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text())
    return loaded["project"]


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_holds_exactly_two_packages(wheel: list[str]) -> None:
    """Nobody's namespace gets `engine`, `plugins` or `tests`."""
    top = {name.partition("/")[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == {"corpusmill", "corpusmill_plugins"}


def test_wheel_holds_every_source_and_the_licence(wheel: list[str], repository: Path) -> None:
    """No module is left behind by the build."""
    roots = {"corpusmill": repository / "engine", "corpusmill_plugins": repository / "plugins"}
    sources = {str(path.relative_to(root)) for name, root in roots.items() for path in (root / name).rglob("*.py")}
    assert sources <= set(wheel)
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_wheel_holds_the_tables_of_the_kernels(wheel: list[str]) -> None:
    """The kernels' knowledge of characters is data, not source, and comes along."""
    assert "corpusmill_plugins/kernels/codepoints.npz" in wheel


def test_wheel_holds_the_templates(wheel: list[str], repository: Path) -> None:
    """`init` and `plugins new` write from files of the package, hidden ones among them."""
    root = repository / "engine"
    templates = {str(path.relative_to(root)) for path in (root / "corpusmill" / "cli" / "templates").rglob("*.txt")}
    assert len(templates) > 20
    assert templates <= set(wheel)


def test_lock_pins_versions_and_nothing_else(repository: Path) -> None:
    """Each line is `name==version`: no host, no path, no build of one machine, no CUDA library."""
    lines = [line for line in (repository / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert [line for line in lines if line.startswith(("nvidia", "triton", "corpusmill"))] == []


def test_lock_satisfies_every_declared_dependency(project: dict[str, Any], pins: dict[str, str]) -> None:
    """What pyproject.toml asks for, in any extra, is pinned at a version it accepts."""
    declared = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    wanted = [Requirement(line) for line in declared]
    missing = [
        str(one)
        for one in wanted
        if one.name != "corpusmill" and not one.specifier.contains(pins.get(canonicalize_name(one.name), "0"))
    ]
    assert missing == []


def test_versions_agree(project: dict[str, Any]) -> None:
    """The face and the distribution tell the same version."""
    import corpusmill

    assert corpusmill.__version__ == project["version"]
