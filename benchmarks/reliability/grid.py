"""A Ray cluster of several nodes on this machine, whose nodes and raylets can be killed and replaced."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mill import kill

from corpusmill.runner.family import below

_NODE = {"node_ip_address": "127.0.0.1", "include_dashboard": False, "object_store_memory": 80 << 20}


class Grid:
    """A head without CPUs, so that no work lands on it, and worker nodes of one CPU each."""

    def __init__(self, nodes: int):
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={**_NODE, "num_cpus": 0})
        self.nodes = [self._cluster.add_node(**_NODE, num_cpus=1) for _ in range(nodes)]

    @property
    def address(self) -> str:
        """What `--address` takes."""
        return str(self._cluster.address)

    def node_of(self, pid: int) -> Any:
        """Return the node that a worker runs on; None when it runs on none of them."""
        return next((node for node in self.nodes if pid in below([raylet(node)])), None)

    def kill_node(self, node: Any) -> None:
        """SIGKILL all that runs on a node, as a power cut would, and put a new one beside those left."""
        for pid in below([one.process.pid for kind in node.all_processes.values() for one in kind]):
            kill(pid)
        self._replace(node)

    def kill_raylet(self, node: Any) -> None:
        """SIGKILL the raylet of a node alone: its workers notice."""
        kill(raylet(node))
        self._replace(node)

    def _replace(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)
        self.nodes.append(self._cluster.add_node(**_NODE, num_cpus=1))

    def close(self) -> None:
        """End all nodes."""
        for node in self._cluster.list_all_nodes()[::-1]:
            self._cluster.remove_node(node, allow_graceful=False)


def raylet(node: Any) -> int:
    """Return the process number of a node's raylet."""
    return int(node.all_processes["raylet"][0].process.pid)


@contextlib.contextmanager
def new_grid(environment: Mapping[str, str], nodes: int = 2) -> Iterator[Grid]:
    """Start a cluster whose workers have this environment."""
    from corpusmill.runner import ray_executor

    before = dict(os.environ)
    os.environ.update({**environment, "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"})
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with ray_executor._no_api_server():
            grid = Grid(nodes)
            try:
                yield grid
            finally:
                grid.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
