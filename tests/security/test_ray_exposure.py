"""A local Ray cluster is reachable from this machine alone, asks for a token, and imports installed code only."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.xdist_group("ray")
LISTENING = "0A"
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
"""Addresses that only this machine reaches; the last is how IPv6 sockets write the first."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A local cluster of one worker as runs start it, from a folder with a malicious module in it."""
    import ray

    from corpusmill.runner import ray_executor

    folder, here = tmp_path_factory.mktemp("started"), Path.cwd()
    (folder / "tomllib.py").write_text("raise SystemExit('imported from the current folder')\n")
    os.chdir(folder)
    try:
        ray_executor.connect(None, 1)
        yield folder
    finally:
        os.chdir(here)
        ray.shutdown()


def children(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.parent.name)] = int(fields[1])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def own_sockets(pids: set[int]) -> set[str]:
    """Inodes of the sockets that these processes hold."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for one in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):  # the descriptor that reads this very folder is gone again
                    found.add(str(one.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def listening(inodes: set[str]) -> dict[str, str]:
    """Return address:port -> inode of listening TCP sockets among these."""
    found = {}
    for table, family, words in (("tcp", socket.AF_INET, 1), ("tcp6", socket.AF_INET6, 4)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                address, port = fields[1].split(":")
                # The kernel writes each 32-bit word in this machine's order.
                packed = struct.pack(f"={words}I", *(int(address[at : at + 8], 16) for at in range(0, 8 * words, 8)))
                found[f"{socket.inet_ntop(family, packed)}|{int(port, 16)}"] = fields[9]
    return found


def test_every_socket_of_a_local_cluster_is_on_loopback(cluster: Path) -> None:
    """GCS, raylet, agents, workers and the driver: whoever listens, listens to this machine only."""
    import ray

    @ray.remote
    def alive() -> int:
        return os.getpid()

    worker = ray.get(alive.remote())
    pids = children(os.getpid()) | {worker}
    found = listening(own_sockets(pids))
    assert len(found) >= 3, found
    assert {address for one in found if (address := one.partition("|")[0]) not in LOOPBACK} == set()


def test_this_test_sees_sockets_that_are_open_to_all() -> None:
    """The reading of /proc works: a socket on all addresses is found as such."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        found = listening(own_sockets({os.getpid()}))
        assert f"0.0.0.0|{server.getsockname()[1]}" in found


def test_no_dashboard_runs(cluster: Path) -> None:
    """Neither its process nor an address: the jobs interface of Ray, which runs any command, is not there."""
    import ray

    commands = []
    for pid in children(os.getpid()):
        try:
            commands.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    assert any("raylet" in one for one in commands)
    assert [one for one in commands if "dashboard.py" in one] == []
    assert not ray._private.worker.get_dashboard_url()


def test_a_stranger_without_the_token_is_turned_away(cluster: Path) -> None:
    """A local cluster asks for a token; one that speaks to its control service without it gets no answer."""
    import grpc
    import ray
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    with grpc.insecure_channel(ray.get_runtime_context().gcs_address) as channel:
        stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetAllNodeInfo(gcs_service_pb2.GetAllNodeInfoRequest(), timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_workers_import_nothing_from_where_the_run_was_started(cluster: Path) -> None:
    """The folder of the command is not on a worker's path, nor is the script's."""
    import ray

    @ray.remote
    def look() -> tuple[list[str], str]:
        import sys
        import tomllib

        return sys.path, str(tomllib.__file__)

    path, taken = ray.get(look.remote())
    assert str(cluster) not in path
    assert "" not in path
    assert not taken.startswith(str(cluster))


def documents(repository: Path) -> list[Any]:
    files = sorted(path for path in (repository / "cluster").rglob("*.yaml"))
    return [document for path in files for document in yaml.safe_load_all(path.read_text("utf-8"))]


def test_what_we_say_about_clusters_turns_the_token_on(repository: Path) -> None:
    """The page on clusters exports token authentication before it starts anything, and starts no dashboard."""
    page = (repository / "cluster" / "README.md").read_text("utf-8")
    assert page.index("RAY_AUTH_MODE=token") < page.index("ray start")
    heads = [line for line in page.splitlines() if "ray start --head" in line]
    assert heads
    assert all("--include-dashboard=false" in line for line in heads)


def test_no_file_for_clusters_opens_a_door(repository: Path) -> None:
    """No address of all interfaces, no load balancer, and no token written down in any of them."""
    texts = {
        str(path.relative_to(repository)): path.read_text("utf-8")
        for path in (repository / "cluster").rglob("*")
        if path.is_file()
    }
    assert texts
    assert documents(repository)
    for name, text in texts.items():
        for door in ("0.0.0.0", "LoadBalancer", "NodePort", "hostNetwork: true", "RAY_AUTH_TOKEN="):
            assert door not in text, f"{door} in {name}"
