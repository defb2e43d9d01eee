"""`corpusmill demo --chaos`, for real: workers and drivers die, the bytes are those of a run left alone."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from corpusmill.demo.child import Place
from corpusmill.demo.proof import prove
from corpusmill.demo.published import published_by
from corpusmill.runner.records import latest_run

PATIENCE = 180.0


@dataclass(frozen=True)
class Shown:
    """What a demonstration printed, where it took place, and who lived when it was over."""

    code: int
    out: str
    err: str
    folder: Path
    living: frozenset[int]


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory, write_spec: Any, start_demo: Any, living: Callable[[], set[int]]
) -> Shown:
    """One demonstration without Ray, with four kills."""
    folder = tmp_path_factory.mktemp("demo")
    spec = write_spec(folder / "project")
    before = living()
    arguments = ["--chaos", str(spec), "--executor", "inline", "--kills", "4", "--seed", "3", "--folder", "both"]
    process = start_demo(folder, *arguments)
    out, err = process.communicate(timeout=PATIENCE)
    return Shown(process.returncode, out, err, folder / "both", frozenset(living() - before))


def test_the_runs_are_equal_whoever_died(shown: Shown) -> None:
    """Exit code 0; the kills took place, a driver among them, and the run was started again for each driver."""
    assert shown.code == 0, shown.out + shown.err
    killed = re.findall(r"kill \d/4: (the driver|a worker)", shown.out)
    assert 2 <= len(killed) <= 4  # one that is due in the last stage may come too late, and is told so
    assert len(killed) == 4 or "too late" in shown.out
    assert shown.out.count("started again, the same command") >= killed.count("the driver") >= 1
    assert "--seed 3" in shown.out


def test_the_runs_were_really_killed(shown: Shown) -> None:
    """The store that was shot at has a run that ended without a word for each start but the last."""
    runs = sorted((shown.folder / "chaos/store/runs/small").glob("2*"))
    ended = [(run / "outputs.json").is_file() for run in runs]
    starts = shown.out.count("started again, the same command") + 1
    assert ended == [False] * (starts - 1) + [True]
    events = "".join((run / "journal.jsonl").read_text() for run in runs)
    assert events.count('"worker_died"') >= shown.out.count("the run goes on")  # none for one killed between units


def test_nobody_lives_on(shown: Shown) -> None:
    """No process of either run is there when the command has ended."""
    assert not shown.living


def test_the_printed_command_checks_the_sums(shown: Shown) -> None:
    """As printed, in a shell, it finds every file of the run that was killed equal to the calm run's list."""
    (command,) = re.findall(r"^ +(cd .* && sha256sum -c .*)$", shown.out, re.M)
    checked = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    lines = checked.stdout.splitlines()
    assert all(line.endswith(": OK") for line in lines)
    assert {"store", "out"} == {line.partition("/")[0] for line in lines}
    assert len(lines) > 15


def test_a_changed_byte_is_found(shown: Shown, tmp_path: Path) -> None:
    """In an exported file or in the store: the proof names the file, whatever its length says."""
    places = {which: Place(shown.folder / which, "small", ()) for which in ("calm", "chaos")}
    calm, chaos = (published_by(one, latest_run(one.store, "small")) for one in places.values())
    assert not [one for one in prove(calm, chaos) if one.differences]
    victims = [chaos.exported[0], next(one for one in chaos.files if one.name.endswith(".arrow"))]
    for victim in victims:
        path = places["chaos"].home / victim.name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        hurt = published_by(places["chaos"], latest_run(places["chaos"].store, "small"))
        path.write_bytes(whole)
        told = [line for one in prove(calm, hurt) for line in one.differences]
        assert any(victim.name in line for line in told)


def test_an_interrupted_demonstration_leaves_nobody(
    tmp_path: Path, write_spec: Any, start_demo: Any, living: Callable[[], set[int]]
) -> None:
    """Ctrl-C while the first run is at work: exit code 130, its folder named, its processes gone."""
    spec, before = write_spec(tmp_path / "project"), living()
    process = start_demo(tmp_path, "--chaos", str(spec), "--executor", "inline", "--folder", "both")
    end = time.monotonic() + PATIENCE
    while not list((tmp_path / "both").glob("calm/store/runs/small/*/journal.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
    assert living() - before
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"rm -r {tmp_path / 'both'}" in err
    assert not living() - before


@pytest.mark.soak
def test_the_quickstart_on_ray(tmp_path: Path, repository: Path, start_demo: Any, living: Any) -> None:
    """From the repository, with all its stages and Ray's node manager among the victims."""
    before = living()
    process = start_demo(repository, "--chaos", "--kills", "8", "--folder", str(tmp_path / "both"))
    out, err = process.communicate(timeout=3600)
    assert process.returncode == 0, out + err
    assert out.count("the raylet") >= 1
    assert not living() - before
