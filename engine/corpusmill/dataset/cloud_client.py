"""S3, Google Cloud Storage and Azure through obstore: bounded retries with jitter, conditional puts, checksums sent."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from corpusmill.dataset.object_client import Head
from corpusmill.errors import StoreError, UsageError

SCHEMES = {"s3": "Amazon S3, or what speaks its protocol", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}
PART = 16 << 20
"""Files above this go up in parts of it: a lost connection then costs one part."""
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the machine's role), AWS_REGION, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS (or the machine's account)",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or the machine's identity)",
}
_CLIENT = {"timeout": timedelta(seconds=60), "connect_timeout": timedelta(seconds=10)}
_RETRIES = {
    "max_retries": 12,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15), "base": 3},
    "retry_timeout": timedelta(minutes=3),
}
"""Each wait is drawn at random between the first one and three times the last, so that workers do not come back
together: half a minute of patience, mostly. With twice the last they do not grow: two seconds, and it was over."""
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
"""What S3, Azure and Google say of a bucket that is not there."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class CloudClient:
    """A prefix of a bucket as an `ObjectClient`; credentials, region and endpoint come from the environment alone.

    The connection is made on first use, and again in a process that this one was sent to: nothing secret travels.
    """

    def __init__(self, uri: str):
        self.uri = _checked(uri)
        self._store: Any = None

    def __getstate__(self) -> Mapping[str, Any]:
        """Leave the connection out: it holds credentials and threads."""
        return {"uri": self.uri, "_store": None}

    def put(self, key: str, data: bytes | Path) -> None:
        """Upload with a checksum that the store holds against what arrives, in parts where it is long."""
        with self._errors(key, writing=True):
            self._opened().put(key, data, chunk_size=PART)

    def put_new(self, key: str, data: bytes) -> bool:
        """Upload with `If-None-Match: *` or its like."""
        opened = self._opened()
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._errors(key, writing=True):
                opened.put(key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def get(self, key: str) -> bytes:
        """Download an object."""
        with self._errors(key):
            return bytes(self._opened().get(key).bytes())

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Download a range of an object; one that begins at its end or beyond is empty."""
        if stop <= start:
            return b""
        with self._errors(key):
            try:
                return bytes(self._opened().get_range(key, start=start, end=stop))
            except FileNotFoundError:
                raise
            except Exception:
                # Stores refuse a range that begins beyond the end; whether it was that, the object's size tells.
                if start < self._opened().head(key)["size"]:
                    raise
                return b""

    def head(self, key: str) -> Head:
        """Look at an object."""
        with self._errors(key):
            return _head(self._opened().head(key))

    def delete(self, key: str) -> None:
        """Delete an object."""
        with contextlib.suppress(FileNotFoundError), self._errors(key):
            self._opened().delete(key)

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        """List page by page."""
        with self._errors(prefix):
            for page in self._opened().list(prefix or None, chunk_size=1000):
                yield from ((str(one["path"]), _head(one)) for one in page)

    def unfinished(self) -> Iterator[str]:
        """Parts of uploads that were given up are no objects: a lifecycle rule of the bucket removes them."""
        return iter(())

    def _opened(self) -> Any:
        if self._store is None:
            obstore_store = _import(self.uri)
            client: dict[str, Any] = dict(_CLIENT)
            options: dict[str, Any] = {}
            if self.uri.startswith("s3:"):
                options["config"] = {"aws_checksum_algorithm": "sha256"}
                endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
                if endpoint:
                    options["config"]["aws_endpoint"] = endpoint
                client["allow_http"] = endpoint.startswith("http://")
            self._store = obstore_store.from_url(self.uri, client_options=client, retry_config=_RETRIES, **options)
        return self._store

    @contextlib.contextmanager
    def _errors(self, key: str, *, writing: bool = False) -> Iterator[None]:
        """Tell what a store says in our words; what is not there is FileNotFoundError, what is there already passes.

        A write that finds nothing has no bucket to go to.
        """
        scheme = self.uri.partition(":")[0]
        try:
            yield
        except (StoreError, UsageError):
            raise
        except FileNotFoundError as error:
            if writing:
                raise self._no_bucket() from error
            raise FileNotFoundError(key) from error
        except Exception as error:
            from obstore import exceptions

            if isinstance(error, exceptions.AlreadyExistsError):
                raise
            if any(word in str(error) for word in _NO_BUCKET):  # of a listing, which knows no object that is not there
                raise self._no_bucket() from error
            refused = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
            raise StoreError(
                f"{'no access to' if refused else 'no answer from'} the object store for {key!r}: {_short(error)}",
                where=self.uri,
                expected=f"{SCHEMES[scheme]}, with {CREDENTIALS[scheme]} in the environment",
                hint="check the credentials and the bucket's policy" if refused else "run the same command again",
            ) from error

    def _no_bucket(self) -> StoreError:
        return StoreError(
            f"there is no bucket {urlsplit(self.uri).netloc!r}",
            where=self.uri,
            expected="a bucket that exists; none is made",
            hint="make the bucket, or take another with --store",
        )


def _import(uri: str) -> Any:
    try:
        from obstore import store
    except ImportError as error:
        raise UsageError(
            f"the store {uri!r} needs the package obstore, which is not installed",
            where="store",
            expected="the extra `s3`, which brings it for s3://, gs:// and az://",
            hint="pip install 'corpusmill[s3]'",
        ) from error
    return store


def _checked(uri: str) -> str:
    """Return a URI without a slash at its end; secrets in it would end up in every record, and are refused."""
    parts = urlsplit(uri)
    if parts.username or parts.password or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(
            f"the store URI names more than a bucket and a prefix: {parts.scheme}://…{parts.hostname or ''}",
            where="store",
            expected=f"{parts.scheme}://BUCKET/PREFIX, and in the environment {CREDENTIALS[parts.scheme]}",
            hint="take user names, passwords and everything behind `?` out of it",
        )
    if not parts.netloc:
        raise UsageError(
            f"the store URI {uri!r} names no bucket",
            where="store",
            expected=f"{parts.scheme}://BUCKET/PREFIX",
            hint=f"set `store: {parts.scheme}://BUCKET/PREFIX` or pass --store",
        )
    return uri.rstrip("/")


def _head(found: Mapping[str, Any]) -> Head:
    version = found.get("e_tag") or found.get("version") or f"{found['size']}-{found['last_modified'].timestamp()}"
    return Head(int(found["size"]), found["last_modified"].timestamp(), str(version))


def _short(error: Exception) -> str:
    """Return the first line of what a client says: what follows is its own debugging."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
