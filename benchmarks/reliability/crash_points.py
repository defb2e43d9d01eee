"""Crash points: after every single operation of a run the machine stops, on disk, object store and S3; then it resumes.

A run is recorded once. For every operation the recorder keeps what a crash right after it leaves: on a disk after a
kill, after a power cut that takes everything unsynced, and after one that keeps names and tears bytes; on an object
store what had been put. Each of these images is laid out anew, looked through (nothing that a record or a manifest
names may be missing or torn), and the run is started on it; it must end with the same published bytes. Images that are
equal are resumed once and stand for all their points.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import s3_server
import simulated_disk
import simulated_objects
from crash_scenario import Scenario, differences, told_well
from simulated_disk import FailingDisk, Image, Point, RecordingDisk, materialise
from simulated_objects import Objects, Watch

from corpusmill.dataset.disk import swapped
from corpusmill.dataset.storage import open_storage, through
from corpusmill.errors import CorpusmillError, StoreError

DISK_FAULTS = ("ENOSPC", "EIO", "EACCES", "repeat")
SCRATCH = "store/tmp/"
OBJECT_FAULTS = ("refused", "unclear", "repeat")


@dataclass
class Case:
    """What a crash leaves, and all the (point, variant) that leave just that."""

    disk: Image
    objects: Objects
    points: list[tuple[Point, str]] = field(default_factory=list)

    def __str__(self) -> str:
        point, variant = self.points[0]
        return f"{variant} after operation {point.number} ({point.kind} in {point.phase})"


@dataclass(frozen=True)
class Recording:
    """A calm run: the points of its operations, what crashes leave, and what it published."""

    points: tuple[Point, ...]
    cases: tuple[Case, ...]
    published: Mapping[str, str]

    def sample(self, count: int) -> list[Case]:
        """Return about `count` cases: of each kind of operation in each phase and variant one, the others evenly."""
        chosen: dict[int, Case] = {}
        seen: set[tuple[str, str, str]] = set()
        for number, case in enumerate(self.cases):
            places = {(point.kind, point.phase, variant) for point, variant in case.points}
            if places - seen:
                chosen[number] = case
                seen |= places
        for number in range(0, len(self.cases), max(1, len(self.cases) // max(1, count - len(chosen)))):
            chosen[number] = self.cases[number]
        return [chosen[number] for number in sorted(chosen)]


class Recorder:
    """Watches a run on its disk and its object store, whichever it works on."""

    def __init__(self, base: Path):
        self.points: list[Point] = []
        self._cases: dict[Any, Case] = {}
        self.disk = RecordingDisk(base, self._on_disk)
        self._disk: Image = self.disk.image("kill")
        self._objects: Objects = {}
        self.watch = Watch(self._on_objects)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The distinct images, in the order in which they arose."""
        return tuple(self._cases.values())

    def phase(self, name: str) -> None:
        """Note which stage is at work."""
        self.disk.phase = self.watch.phase = name

    def _on_disk(self, point: Point, variant: str, image: Image) -> None:
        if variant == "kill":
            self._disk = image
            self.points.append(point)
        self._add(point, variant, image, self._objects)

    def _on_objects(self, point: Point, objects: Objects) -> None:
        self._objects = dict(objects)
        self.points.append(point)
        self._add(point, "kill", self._disk, self._objects)

    def _add(self, point: Point, variant: str, image: Image, objects: Objects) -> None:
        key = (frozenset(map(_seen, image.items())), frozenset(objects.items()))
        case = self._cases.setdefault(key, Case(dict(image), dict(objects)))
        case.points.append((point, variant))


def _seen(entry: tuple[str, bytes | None]) -> tuple[str, bytes | bool | None]:
    """Return what tells images apart: of a file on scratch, whose name no successor knows, whether it is empty."""
    name, data = entry
    return name, bool(data) if name.startswith(SCRATCH) and data is not None else data


class Medium:
    """A kind of store that the scenario runs on: `local`, `object` (a folder with an object store's rules), or that of
    `bucket`, a URI."""

    def __init__(self, name: str, scenario: Scenario, bucket: str = ""):
        self.name, self.scenario, self._number = name, scenario, 0
        # A place of its own: copies that this machine keeps of an earlier store of that name would spare requests.
        self._place = f"{bucket}/{uuid.uuid4().hex}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of operations that a run on it must meet."""
        if self.name != "local":
            return simulated_objects.KINDS
        return tuple(kind for kind in simulated_disk.KINDS if kind != "exchange" or self.scenario.swaps)

    def fresh(self) -> str:
        """Return the URI of an empty store; beside it lies the export that the run is to replace."""
        uri = self._empty()
        self.scenario.lay_earlier_export()
        return uri

    def _empty(self) -> str:
        self.scenario.wipe()
        self._number += 1
        if self.name == "local":
            return str(self.scenario.base / "store")
        if self.name == "object":
            return f"object://{self.scenario.root}/objects-{self._number}"
        return f"{self._place}/{self._number}"

    def laid_out(self, case: Case) -> str:
        """Return the URI of a store that holds what a crash left."""
        uri = self._empty()
        materialise(case.disk, self.scenario.base)
        if self.name != "local":
            client = open_storage(uri).client  # type: ignore[attr-defined]
            for key, data in case.objects.items():
                client.put(key, _of_the_dead(data) if key.endswith("/lease.json") else data)
        return uri


def _of_the_dead(lease: bytes) -> bytes:
    """Return a lease whose holder is gone, as it would be after a crash: this process recorded it and lives on."""
    return json.dumps({**json.loads(lease), "pid": 2**22 + 1}).encode()


def record(medium: Medium) -> Recording:
    """Run once without a fault and keep what a crash after each operation would leave."""
    uri = medium.fresh()
    recorder = Recorder(medium.scenario.base)
    with swapped(recorder.disk), through(recorder.watch.through):
        medium.scenario.run(uri, phases=recorder.phase)
    return Recording(tuple(recorder.points), recorder.cases, medium.scenario.published(uri))


def resume(medium: Medium, recording: Recording, case: Case) -> list[str]:
    """Start the run on what a crash left; return what is wrong before it, or different after it."""
    uri = medium.laid_out(case)
    problems = [f"{case}: before the run {one}" for one in medium.scenario.not_whole(uri)]
    return problems + _finished(medium, recording, uri, str(case))


def _finished(medium: Medium, recording: Recording, uri: str, name: str) -> list[str]:
    """Run again, and return what keeps it from ending well or what is different then."""
    try:
        medium.scenario.run(uri)
    except Exception as error:  # noqa: BLE001 - whatever stops a second run is what is looked for
        return [f"{name}: the second run fails with {type(error).__name__}: {error}"]
    return [f"{name}: {one}" for one in differences(recording.published, medium.scenario.published(uri))]


Fault = tuple[str, str, int, str]
"""Phase, kind of operation, which of them, how it goes wrong."""


def faults(medium: Medium, every: bool = False) -> Iterator[Fault]:
    """Yield faults for each kind of operation in each phase; the ways take turns, or `every` way at the first, the
    middle and the last operation."""
    disk, watch = FailingDisk(), Watch()
    _run(medium, medium.fresh(), disk, watch)
    turn = 0
    for ways, counts in ((DISK_FAULTS, disk.counts), (OBJECT_FAULTS, watch.counts)):
        for (phase, kind), count in sorted(counts.items()):
            places = sorted({1, (count + 1) // 2, count}) if every else [(count + 1) // 2]
            turn += 1
            for number in places:
                for how in ways if every else (ways[turn % len(ways)],):
                    yield phase, kind, number, how


def survive(medium: Medium, recording: Recording, fault: Fault) -> list[str]:
    """Let one operation go wrong, then run again; return what is wrong with how it was told, or with the result."""
    uri, disk, watch = medium.fresh(), FailingDisk(), Watch()
    disk.arm(*fault)
    watch.arm(*fault)
    name = f"{fault[3]} at {fault[1]} {fault[2]} in {fault[0]}"
    problems = []
    try:
        _run(medium, uri, disk, watch)
    except CorpusmillError as error:
        if type(error) is not StoreError or not told_well(error):
            problems.append(f"{name}: told as {type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a fault of the disk must not surface as anything else
        problems.append(f"{name}: surfaced as {type(error).__name__}: {error}")
    if not (disk.fired or watch.fired):
        problems.append(f"{name}: never came")
    if fault[3] == "ENOSPC" and (left := sorted(medium.scenario.base.glob("store/tmp/*.arrow"))):
        problems.append(f"{name}: left {left[0].name} on a full disk")
    problems += [f"{name}: before the second run {one}" for one in medium.scenario.not_whole(uri)]
    return problems + _finished(medium, recording, uri, name)


def _run(medium: Medium, uri: str, disk: FailingDisk, watch: Watch) -> None:
    def phases(name: str) -> None:
        disk.phase = watch.phase = name

    try:
        with swapped(disk), through(watch.through):
            medium.scenario.run(uri, phases=phases)
    finally:
        disk.disarm()
        watch.disarm()


@contextmanager
def media(names: Sequence[str] = ("local", "object", "s3")) -> Iterator[list[Medium]]:
    """Yield the media, each with a scenario in a temporary folder of its own; `s3` starts a server on loopback."""
    with ExitStack() as stack:
        made = []
        for name in names:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"corpusmill-{name}-")))
            bucket = f"s3://{stack.enter_context(s3_server.bucket('crash'))}" if name == "s3" else ""
            made.append(Medium(name, Scenario(folder.resolve()), bucket))
        yield made


def measure() -> dict[str, Any]:
    """Enumerate, resume and count, by storage and kind of operation."""
    few = os.environ.get("CORPUSMILL_RELIABILITY_SCALE") == "small"
    rows: list[list[Any]] = []
    failed: list[str] = []
    with media() as tried:
        for medium in tried:
            recording = record(medium)
            cases = recording.sample(60) if few else list(recording.cases)
            lost = {id(case): problems for case in cases if (problems := resume(medium, recording, case))}
            went_wrong = list(faults(medium, every=not few and medium.name != "s3"))
            wrong = {fault: problems for fault in went_wrong if (problems := survive(medium, recording, fault))}
            failed += [one for problems in [*lost.values(), *wrong.values()] for one in problems]
            rows += _rows(medium, recording, cases, lost, went_wrong, wrong)
    notes = [
        (
            "A point is one operation and one way to crash right after it: a kill, on disks also a power cut that "
            "takes what was not synced, and one that keeps names and tears bytes; in a write also when half is done."
        ),
        (
            "Equal images (of files on scratch the names count) are resumed once; survived means: nothing named was "
            "missing or torn before the run, and the published bytes (datasets, files, artifacts, commit records, "
            "export) were the same after it."
        ),
        (
            "Faults: the operation fails with ENOSPC, EIO or EACCES, or is done twice; on object stores it is refused, "
            "or done with its answer lost, or done twice; then the run is started again."
        ),
        (
            "`object` is a folder with an object store's rules, `s3` a server on loopback, spoken to over HTTP. "
            "Their exports lie on the disk."
        ),
    ]
    columns = ["storage", "operation", "crash points", "images resumed", "survived", "faults", "faults survived"]
    return {"title": "Crash points", "columns": columns, "rows": rows, "notes": notes, "failed": failed}


def _rows(
    medium: Medium,
    recording: Recording,
    cases: Sequence[Case],
    lost: Mapping[int, Any],
    went_wrong: Sequence[Fault],
    wrong: Mapping[Fault, Any],
) -> list[list[Any]]:
    points: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for case in cases:
        kinds = [point.kind for point, _ in case.points]
        points.update(kinds)
        images.update(set(kinds))
        if id(case) not in lost:
            survived.update(kinds)
    faulty = Counter(kind for _, kind, _, _ in went_wrong)
    bad = Counter(kind for _, kind, _, _ in wrong)
    return [
        [medium.name, kind, points[kind], images[kind], survived[kind], faulty[kind], faulty[kind] - bad[kind]]
        for kind in [*simulated_disk.KINDS, *simulated_objects.KINDS]
        if points[kind] or faulty[kind]
    ]
