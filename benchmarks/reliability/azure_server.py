"""Azurite, Microsoft's emulator of Azure Blob Storage, on loopback, where it is installed (`npm install azurite`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from unittest.mock import patch

import s3_server

ACCOUNT = "devstoreaccount1"
# The account that every Azurite has, published in its documentation.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-08-06"


def executable() -> str | None:
    """Return the path of `azurite-blob`: what CORPUSMILL_AZURITE names, else the one on PATH, else None."""
    return shutil.which(os.environ.get("CORPUSMILL_AZURITE") or "azurite-blob")


@contextmanager
def container(name: str) -> Iterator[str]:
    """Start the emulator with a container of this name and the environment to find it; yield the name."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
        command = [str(executable()), *settings, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        found = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}"}
        try:
            s3_server.wait_until_heard(process, port)
            _make_container(port, name)
            with patch.dict(os.environ, found):
                yield name
        finally:
            process.kill()
            process.wait()


def _make_container(port: int, name: str) -> None:
    """Create a container, signed with the account's key (Azure's Shared Key scheme)."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}
    named = "".join(f"{one}:{value}\n" for one, value in sorted(headers.items()))
    signed = "PUT" + "\n" * 12 + f"{named}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}", "Content-Length": "0"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
    answer = connection.getresponse()
    if answer.status != 201:
        raise RuntimeError(f"the emulator says {answer.status} to a new container: {answer.read()[:200]!r}")
    connection.close()
