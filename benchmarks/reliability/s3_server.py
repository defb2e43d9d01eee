"""A real S3 server on loopback: another process that is spoken to over HTTP, with a bucket, as long as it is needed."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

_PATIENCE = 120.0


@contextmanager
def server() -> Iterator[str]:
    """Start moto's server and yield its URL; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_heard(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def environment(url: str) -> Iterator[None]:
    """Let this process and those it starts find the server as they would find S3: through the environment."""
    found = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }
    with patch.dict(os.environ, found):
        yield


@contextmanager
def bucket(name: str) -> Iterator[str]:
    """Start a server with a bucket of this name and the environment to find it; yield the name."""
    with server() as url, environment(url):
        make_bucket(url, name)
        yield name


def make_bucket(url: str, name: str) -> None:
    """Create a bucket."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_PATIENCE)
    connection.request("PUT", f"/{name}", headers={"Authorization": "AWS testing:testing"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"the S3 server says {answer.status} to a new bucket: {answer.read()[:200]!r}")
    connection.close()


def wait_until_heard(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the server takes connections; raises RuntimeError for one that ends or stays silent."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server of objects ended with code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server of objects does not answer")
