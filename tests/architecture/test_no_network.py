"""The guard that keeps tests on this machine, tested itself."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

# TEST-NET-1 of RFC 5737: belongs to nobody, so even a broken guard contacts no one.
NOBODY = ("192.0.2.1", 80)


def taken(refusals: Path) -> str:
    """Read and empty the list of refusals, so that the fixture does not fail this test for what it did on purpose."""
    lines = refusals.read_text(encoding="utf-8")
    refusals.write_text("", encoding="utf-8")
    return lines


def test_connections_that_leave_the_machine_are_refused(refusals: Path) -> None:
    """A TCP connection to another machine raises and is recorded."""
    with socket.socket() as link, pytest.raises(OSError, match="may not leave this machine"):
        link.connect(NOBODY)
    assert "192.0.2.1" in taken(refusals)


def test_names_of_other_machines_are_not_looked_up(refusals: Path) -> None:
    """Asking a name server is contact, too."""
    with pytest.raises(OSError, match="may not leave this machine"):
        socket.getaddrinfo("host.invalid", 443)
    assert "host.invalid" in taken(refusals)


def test_child_processes_are_held_as_well(refusals: Path) -> None:
    """A subprocess that swallows the error is still recorded."""
    program = f"""
import contextlib, socket
with contextlib.suppress(OSError):
    socket.create_connection({NOBODY!r}, timeout=1)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "192.0.2.1" in taken(refusals)


def test_loopback_stays_open() -> None:
    """Ray and tests of servers talk over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
