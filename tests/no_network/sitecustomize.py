"""Refuses every connection that leaves the machine, in any Python process that starts with this folder on its path.

An audit hook sees what Python's sockets do, whoever calls them, and cannot be taken off again. Refusals go to the
file named in CORPUSMILL_REFUSALS, so that code that swallows the error is found out all the same.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys

LOG = os.environ.get("CORPUSMILL_REFUSALS")
OWN_NAMES = {"", "localhost", "ip6-localhost", socket.gethostname(), *socket.gethostname().split(".")[:1]}


def is_loopback(host: object) -> bool:
    """Say whether a host, as sockets take it, lies on this machine."""
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("ascii", "replace")
    if host is None or host in OWN_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(what: str, record: bool) -> None:
    # Asked again: a process of pytest-xdist starts with the file of its parent and then takes one of its own.
    place = os.environ.get("CORPUSMILL_REFUSALS") or LOG
    if record and place:
        with open(place, "a", encoding="utf-8") as log:
            log.write(f"{what} by {' '.join(sys.argv)[:200]!r} (pid {os.getpid()})\n")
    # ENETUNREACH is what a machine without a network answers, so libraries take the way they take there.
    raise OSError(errno.ENETUNREACH, f"tests may not leave this machine: {what}")


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not event.startswith("socket."):  # thousands of events a second are not ours
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        link, address = arguments[0], arguments[1]
        if isinstance(link, socket.socket) and link.family not in {socket.AF_INET, socket.AF_INET6}:
            return
        if isinstance(address, tuple) and not is_loopback(address[0]):
            # Connecting a datagram socket sends nothing: it is how libraries ask for the machine's own address.
            asks_only = event == "socket.connect" and isinstance(link, socket.socket) and link.type == socket.SOCK_DGRAM
            _refuse(f"{event} {address!r}", record=not asks_only)
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not _known_here(arguments[0]):
        _refuse(f"{event} {arguments[0]!r}", record=True)


def _known_here(host: object) -> bool:
    """Say whether looking up a host asks nobody: this machine's names, and addresses written as numbers."""
    try:
        ipaddress.ip_address(str(host))
    except ValueError:
        return is_loopback(host)
    return True


if LOG:
    sys.addaudithook(_watch)
