"""Files of a deployment from outside: listed, sent and fetched in pieces, with their digests checked."""

from __future__ import annotations

import contextlib
import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from convexpy.client._errors import DeploymentError
from convexpy.protocol.system.data import ReadTable
from convexpy.protocol.system.files import GetFileDocument, GetFileUrl

if TYPE_CHECKING:
    from convexpy.client._admin import AdminClient


PAGE = 1000


class FileInfo(msgspec.Struct, frozen=True):
    """What a deployment says of a file; `sha256` is base64, `created_at` milliseconds since the epoch."""

    id: str = msgspec.field(name="_id")
    size: int
    sha256: str
    created_at: float = msgspec.field(name="_creationTime")
    content_type: str | None = msgspec.field(default=None, name="contentType")

    def to_json(self) -> dict[str, Any]:
        """Return it as tools read it."""
        return {
            "id": self.id,
            "sizeBytes": self.size,
            "contentType": self.content_type,
            "sha256": self.sha256,
            "createdAt": self.created_at,
        }


class FileClient:
    """Works through an `AdminClient`; transfers have connections of their own. For one thread at a time.

    Every method raises `Unreachable` if nothing answers and `DeploymentError` if the deployment refuses.
    """

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    def clone(self) -> FileClient:
        """Return a client for another thread."""
        return FileClient(self._client.clone())

    def close(self) -> None:
        """Close the connection of the client."""
        self._client.close()

    def list(self, *, oldest_first: bool = False) -> Iterator[FileInfo]:
        """Yield every file in the order of creation."""
        cursor: str | None = None
        while True:
            opts = {"numItems": PAGE, "cursor": cursor}
            page = self._client.run_system(ReadTable("_storage", opts, "asc" if oldest_first else "desc"))
            yield from msgspec.convert(page.page, list[FileInfo], strict=False)
            if page.is_done:
                return
            cursor = page.continue_cursor

    def info(self, id: str) -> FileInfo | None:
        """Return what is known of a file, or None if there is none."""
        found = self._client.run_system(GetFileDocument(id))
        return msgspec.convert(found, FileInfo | None, strict=False)

    def url(self, id: str) -> str | None:
        """Return the public address of a file, or None if there is none."""
        return self._client.run_system(GetFileUrl(id))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete files, all of them or none."""
        self._client.admin_request("/api/convexpy/storage/delete", {"ids": list(ids)})

    def upload(
        self,
        pieces: Iterable[bytes],
        *,
        size: int | None,
        content_type: str | None,
        sent: Callable[[int], None] = lambda count: None,
    ) -> FileInfo:
        """Store a file as its pieces come; `sent` hears of each.

        Raises:
            DeploymentError: refused, or what arrived is not what was sent (then it is deleted again).
        """
        url = self._client.admin_request("/api/convexpy/storage/upload_url", {})["url"]
        digest = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            for piece in pieces:
                digest.update(piece)
                yield piece
                sent(len(piece))

        headers = {} if size is None else {"Content-Length": str(size)}
        if content_type is not None:
            headers["Content-Type"] = content_type
        with self._client.streaming("POST", _target(url), headers, hashed()) as response:
            id = str(json.loads(response.read())["storageId"])
        found = self.info(id)
        if found is None or found.sha256 != b64encode(digest.digest()).decode():
            self.delete([id])
            raise DeploymentError("what arrived is not what was sent", code="Sha256Mismatch", status=400)
        return found

    @contextlib.contextmanager
    def download(self, id: str, *, start: int = 0) -> Generator[Iterator[bytes], None, None]:
        """Give the content from byte `start` on, in pieces.

        Raises:
            DeploymentError: there is no such file (`StorageIdNotFound`).
        """
        url = self.url(id)
        if url is None:
            raise DeploymentError(f"there is no file {id}", code="StorageIdNotFound", status=404)
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._client.streaming("GET", _target(url), headers) as response:
            yield response.iter_raw()


def _target(url: str) -> str:
    """Return path and query of a public address: the deployment may be reached at another one from here."""
    parts = urlsplit(url)
    path = parts.path[parts.path.rindex("/api/storage/") :]
    return f"{path}?{parts.query}" if parts.query else path
