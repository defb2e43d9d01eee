"""Folders that take the place of others, on disks that can swap two names at once and on those that cannot."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from simulated_disk import FailingDisk

from corpusmill.dataset.disk import Disk, replace_folder, swapped


class Bystander(Disk):
    """Looks, after each operation that moves a name, what stands at the target."""

    def __init__(self, target: Path):
        self.target, self.seen = target, list[str]()

    def _look(self) -> None:
        held = self.target / "held"
        self.seen.append(held.read_text() if held.is_file() else "nothing")

    def exchange(self, source: Path, target: Path) -> None:
        super().exchange(source, target)
        self._look()

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._look()


class WithoutExchange(Bystander):
    """A file system that cannot swap names, as NFS."""

    refusal = errno.EINVAL

    def exchange(self, source: Path, target: Path) -> None:
        raise OSError(self.refusal, "refused")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A new folder, the one it is to replace, and where that goes."""
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "held").write_text(name)
    return tmp_path / "new", tmp_path / "old", tmp_path / "aside"


def held(folder: Path) -> str:
    return (folder / "held").read_text()


def can_swap(folder: Path) -> bool:
    """Say whether the file system under test can swap names at all."""
    one, other = folder / "one", folder / "other"
    one.mkdir()
    other.mkdir()
    try:
        Disk().exchange(one, other)
    except OSError:
        return False
    return True


def test_at_any_instant_one_of_both_is_in_place(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """No bystander ever finds nothing at the target."""
    new, old, aside = places
    if not can_swap(tmp_path):
        pytest.skip("this file system cannot swap two names")
    with swapped(Bystander(old)) as disk:
        replace_folder(new, old, aside)
    assert disk.seen == ["new", "new"]  # type: ignore[attr-defined]
    assert (held(old), held(aside), new.exists()) == ("new", "old", False)


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_where_names_cannot_be_swapped_there_are_two_renames(places: tuple[Path, Path, Path], refusal: int) -> None:
    """The old one moves aside first, and the outcome is the same."""
    new, old, aside = places
    disk = WithoutExchange(old)
    disk.refusal = refusal
    with swapped(disk):
        replace_folder(new, old, aside)
    assert disk.seen == ["nothing", "new"]
    assert (held(old), held(aside), new.exists()) == ("new", "old", False)


def test_a_swap_that_was_done_twice_is_noticed(places: tuple[Path, Path, Path]) -> None:
    """A lost answer and a second attempt undo a swap; the new folder is not taken for the old one and removed."""
    new, old, aside = places
    disk = FailingDisk()
    disk.arm("start", "exchange", 1, "repeat")
    with swapped(disk):
        replace_folder(new, old, aside)
    assert disk.fired
    assert (held(old), held(aside), new.exists()) == ("new", "old", False)


def test_what_fails_for_another_reason_is_raised(places: tuple[Path, Path, Path]) -> None:
    """No permission, a broken disk: nothing has moved."""
    new, old, aside = places
    disk = FailingDisk()
    disk.arm("start", "exchange", 1, "EACCES")
    with swapped(disk), pytest.raises(PermissionError):
        replace_folder(new, old, aside)
    assert (held(new), held(old), aside.exists()) == ("new", "old", False)


def test_half_a_replacement_is_taken_back(places: tuple[Path, Path, Path]) -> None:
    """Where the second of two renames fails, the old folder returns to its place."""
    new, old, aside = places

    class Stubborn(WithoutExchange):
        def rename(self, source: Path, target: Path) -> None:
            if source == new:
                raise OSError(errno.EIO, "broken")
            super().rename(source, target)

    with swapped(Stubborn(old)), pytest.raises(OSError, match="broken"):
        replace_folder(new, old, aside)
    assert (held(new), held(old), aside.exists()) == ("new", "old", False)
