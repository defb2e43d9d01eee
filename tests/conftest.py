"""What holds for every test: no network, no telemetry, the same random choices each time."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import stat
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
NO_NETWORK = HERE / "no_network"
# Machinery that tests share with `make reliability`: crash points, an S3 server.
sys.path.append(str(HERE.parent / "benchmarks" / "reliability"))

# Processes started by tests read byte code instead of compiling the sources each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Set at import, before any test module loads a library that reads them; child processes inherit them.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    PYTHONPATH=os.pathsep.join(filter(None, [str(NO_NETWORK), os.environ.get("PYTHONPATH")])),
)
_descriptor, _refusals = tempfile.mkstemp(prefix="corpusmill-refusals-")
os.close(_descriptor)
os.environ["CORPUSMILL_REFUSALS"] = _refusals
_spec = importlib.util.spec_from_file_location("corpusmill_no_network", NO_NETWORK / "sitecustomize.py")
assert _spec is not None
assert _spec.loader is not None
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

# Whoever starts tests in the background has SIGINT ignored, and every process they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine is slow at times, so no deadlines; derandomised, so that a change is judged by its own faults.
# Hypothesis draws on constants of the modules that are loaded, so which inputs a strategy filters out depends on the
# tests that ran before in the same worker: no fault of the test at hand.
CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=CALM)
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

FIRST = ("test_quickstart", "ray")
"""Groups that take minutes; under xdist they start first, so that no worker is left alone with one at the end."""
ON_RAY = re.compile(r'xdist_group\("ray"\)|\bcluster: ')
"""What a file with tests on a Ray cluster holds: the mark, or the fixture `cluster`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist the long groups come first, in the same order on every worker."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        groups = {path: _group(path) for path in {item.path for item in items}}
        items.sort(key=lambda item: FIRST.index(groups[item.path]) if groups[item.path] in FIRST else len(FIRST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A file stays on one worker, where its fixtures are made once, and all files with a Ray cluster on one.

    Two clusters at a time would starve each other. (xdist's own `loadgroup` tells groups to the scheduler through
    names of tests, which pytest 9.2 no longer lets it change: each test became a group of its own.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class FileScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(Path(str(config.rootpath), nodeid.partition("::")[0]))

    return FileScheduling(config, log)


@cache
def _group(file: Path) -> str:
    return "ray" if ON_RAY.search(file.read_text(encoding="utf-8")) else file.stem


def pytest_unconfigure() -> None:
    Path(_refusals).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def refusals() -> Path:
    """The file that lists refused connections of all processes of this session."""
    return Path(_refusals)


@pytest.fixture(autouse=True)
def _stays_on_this_machine(refusals: Path) -> Iterator[None]:
    yield
    lines = refusals.read_text(encoding="utf-8")
    if lines:
        refusals.write_text("", encoding="utf-8")
        pytest.fail(f"something tried to leave this machine:\n{lines}", pytrace=False)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket of a real S3 server on loopback, found through the environment as any is; records of runs go apart."""
    for needed in ("obstore", "moto"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install 'corpusmill[dev]'")
    import s3_server

    state = str(tmp_path_factory.mktemp("state"))
    with s3_server.bucket("mill") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", state)
        yield name


@pytest.fixture(scope="session")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A container of Azure's emulator on loopback; records of runs go apart."""
    import azure_server

    if importlib.util.find_spec("obstore") is None or azure_server.executable() is None:
        pytest.skip("no azurite-blob on PATH, and CORPUSMILL_AZURITE names none: npm install azurite")
    with azure_server.container("mill") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield name


@pytest.fixture(params=["s3", pytest.param("az", marks=pytest.mark.soak)])
def bucket(request: pytest.FixtureRequest) -> str:
    """The URI of a bucket on a server of each kind: S3, and among the long tests Azure."""
    return f"{request.param}://{request.getfixturevalue(request.param)}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return HERE.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data made by others; tests that want it skip where it is not."""
    folder = os.environ.get("CORPUSMILL_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CORPUSMILL_TEST_DATA names no folder with the real test data")
    return Path(folder).resolve()


@pytest.fixture
def fresh_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a virtual environment to install into: it has all that this one has, and no index.

    `corpusmill`, `python` and `pip` on its PATH are its own.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    around = sysconfig.get_path("purelib") + "\n" + _editable()
    Path(paths["purelib"], "around.pth").write_text(around, encoding="utf-8")
    starts = {name: f"-m {name}" for name in ("pip", "pytest", "ruff")}
    starts["corpusmill"] = '-c "from corpusmill.cli import main; main()"'
    for name, start in starts.items():
        script = Path(paths["scripts"], name)
        script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" {start} "$@"\n', encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {
        **os.environ,
        "PATH": os.pathsep.join([paths["scripts"], os.environ["PATH"]]),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_COLOR": "1",
    }


def _editable() -> str:
    """The source roots of an editable install, which a .pth file that is itself reached by one would not add."""
    import corpusmill

    root = Path(corpusmill.__file__).parents[1]
    return f"{root}\n{root.parent / 'plugins'}\n" if root.name == "engine" else ""
