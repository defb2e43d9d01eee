"""The end of the account: the table of kills, sums part by part, what was proved and how to check it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from corpusmill.demo.account import Account, clock
from corpusmill.demo.chaos import Kill
from corpusmill.demo.proof import SUMS, Finding
from corpusmill.demo.published import Published, PublishedFile
from corpusmill.demo.victims import WORKER
from corpusmill.report.plain import count, duration

_SHOWN_PARTS = 12
_WIDE = 110
_SHOWN_DIFFERENCES = 8


def tell_kills(account: Account, kills: Sequence[Kill]) -> None:
    """Print who was killed, where, what became of it and how many units of work were done again."""
    rows = [["", "when", "killed", "in", "units redone", ""]]
    for number, kill in enumerate(kills, 1):
        sure = kill.victim == WORKER or kill.units or not kill.redone
        redone = str(kill.redone) if sure else f"up to {kill.redone}"
        rows.append([str(number), clock(kill.seconds), kill.victim, kill.where, redone, kill.then or "went on"])
    account.rows(rows, right="rr..r")


def tell_parts(account: Account, published: Published, sums: Path) -> None:
    """Print sha256 sums of the exported files and of the last dataset's files; all others stand in the list."""
    steps: dict[str, list[PublishedFile]] = {}
    for one in (*published.exported, *published.files):
        steps.setdefault(one.step, []).append(one)
    wide = account.width >= _WIDE
    left = _SHOWN_PARTS
    for step, files in steps.items():
        shown = [one for one in files if not one.name.endswith("manifest.json")][:left]
        if not shown:
            continue
        left -= len(shown)
        account.raw(f"  {step or 'ledger'}", "bold")
        for one in shown:
            account.raw(f"    {one.sha256 if wide else one.sha256[:16] + '…'}  {_short(one.name, account.width, wide)}")
    rest = len(published.files) + len(published.exported) - (_SHOWN_PARTS - left)
    if rest > 0:
        account.raw(f"    and {count(rest)} more in {sums.name}", "dim")


def tell_findings(account: Account, findings: Sequence[Finding]) -> None:
    """Print each claim with its mark, and what differs."""
    for one in findings:
        good = not one.differences
        told = one.told if good else f"{count(len(one.differences))} differ"
        account.raw(f"  {'✓' if good else '✗'} {one.name:<10}  {told}", "" if good else "bold red")
        for line in one.differences[:_SHOWN_DIFFERENCES]:
            account.raw(f"    {line}")
        if len(one.differences) > _SHOWN_DIFFERENCES:
            account.raw(f"    and {count(len(one.differences) - _SHOWN_DIFFERENCES)} more")


def tell_check(account: Account, home: Path) -> None:
    """Print the command with which anybody can check the sums."""
    account.raw("  check it yourself, the calm run's list against the files of the other:")
    account.raw(f"    cd {shlex.quote(str(home))} && sha256sum -c ../{SUMS}", "cyan")


def tell_end(account: Account, kills: Sequence[Kill], starts: int, folder: Path, seconds: float) -> None:
    """Print the last lines."""
    account.raw()
    account.paragraph(
        f"{len(kills)} kills, {starts} starts, the same bytes, every record accounted for; "
        f"{duration(seconds)} in all.", "bold green",
    )  # fmt: skip
    account.raw("Both stores stay where they are; this removes them:")
    account.raw(f"  rm -r {shlex.quote(str(folder))}", "cyan")


def _short(name: str, width: int, wide: bool) -> str:
    room = width - 6 - (64 if wide else 17)
    return name if len(name) <= room else name[: room // 2 - 1] + "…" + name[-(room - room // 2) :]
