"""Exports and imports from outside: files go up in parts that can be gone on with, and come down by ranges."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convexpy.protocol.system.exports import FindExport, ListExports
from convexpy.protocol.system.imports import GetImport

if TYPE_CHECKING:
    import httpx

    from convexpy.client._admin import AdminClient


@dataclass(frozen=True)
class Download:
    """The pieces of an export from some byte on, and the size of the whole."""

    pieces: Iterator[bytes]
    start: int
    size: int


class TransferClient:
    """Works through an `AdminClient`; bytes have connections of their own. For one thread at a time.

    Every method raises `Unreachable` if nothing answers and `DeploymentError` if the deployment refuses.
    """

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    # Exports

    def request_export(
        self, *, include_storage: bool, tables: Sequence[str] | None = None, backup: bool = False
    ) -> str:
        """Ask for an export of all tables or of these; return its id."""
        query = f"includeStorage={str(include_storage).lower()}"
        if tables is not None:
            query += f"&tables={','.join(tables)}"
        if backup:
            query += "&backup=true"
        return str(self._client.admin_request(f"/api/export/request/zip?{query}", {})["id"])

    def find_export(self, which: str) -> dict[str, Any] | None:
        """Return an export by id or timestamp. Moments are texts of nanoseconds."""
        return self._client.run_system(FindExport(which))

    def backups(self) -> list[dict[str, Any]]:
        """Return the newest backups, complete or not."""
        return self._client.run_system(ListExports("backup"))

    def cancel_export(self, id: str) -> None:
        """Cancel an export that is under way."""
        self._client.admin_request(f"/api/export/cancel/{id}", {})

    def expire_export(self, id: str, moment_ns: int) -> None:
        """Have an export kept until then."""
        self._client.admin_request(f"/api/export/set_expiration/{id}", {"expirationTsNs": moment_ns})

    def delete_export(self, which: str) -> None:
        """Remove an export."""
        self._client.admin_request("/api/convexpy/exports/delete", {"id": which})

    @contextlib.contextmanager
    def download(self, which: str, *, start: int = 0) -> Generator[Download]:
        """Give the zip of a completed export from byte `start` on."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._exchange("GET", f"/api/export/zip/{which}", headers) as response:
            length = int(response.headers["Content-Length"])
            if response.status_code != 206:
                start = 0
            yield Download(response.iter_raw(), start, start + length)

    # Imports

    def start_upload(self) -> str:
        """Begin an upload; return its token."""
        return str(self._client.admin_request("/api/import/start_upload", {})["uploadToken"])

    def uploaded_parts(self, token: str) -> dict[int, str]:
        """Return the SHA-256 (hex) of the parts that have arrived, by number from 1."""
        path = f"/api/convexpy/import/parts?uploadToken={token}"
        with self._exchange("GET", path, {}) as response:
            parts = json.loads(response.read())["parts"]
        return {int(number): str(digest) for number, digest in parts.items()}

    def upload_part(self, token: str, number: int, data: bytes) -> str:
        """Send a part; return its token."""
        path = f"/api/import/upload_part?uploadToken={token}&partNumber={number}"
        headers = {"Content-Type": "application/octet-stream"}
        with self._exchange("POST", path, headers, data) as response:
            return str(json.loads(response.read()))

    def finish_upload(self, token: str, parts: Sequence[str], wanted: Mapping[str, Any]) -> str:
        """Say what the uploaded file is and how it is to be imported; return the id of the import."""
        body = {"import": dict(wanted), "uploadToken": token, "partTokens": list(parts)}
        return str(self._client.admin_request("/api/import/finish_upload", body)["importId"])

    def find_import(self, id: str) -> dict[str, Any] | None:
        """Return what is known of an import; `state` says how far it is."""
        return self._client.run_system(GetImport(id))

    def perform_import(self, id: str) -> None:
        """Confirm an import."""
        self._client.admin_request("/api/perform_import", {"importId": id})

    def cancel_import(self, id: str) -> None:
        """Cancel an import; nothing of it remains."""
        self._client.admin_request("/api/cancel_import", {"importId": id})

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> AbstractContextManager[httpx.Response]:
        if self._client.admin_key is not None:
            headers = {**headers, "Authorization": f"Convex {self._client.admin_key}"}
        return self._client.streaming(method, path, headers, body)
