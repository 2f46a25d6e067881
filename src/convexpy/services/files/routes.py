"""Uploading and downloading files: streams both ways, ranges, conditional requests."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace

import msgspec

from convexpy.errors import RequestError
from convexpy.http.messages import Headers, HttpRequest, Response, error_response, json_response
from convexpy.http.routing import Routes, method_not_allowed
from convexpy.http.streaming import CACHE, FileResponse, Range, body_chunks, parse_range
from convexpy.protocol.system.files import StoredFile
from convexpy.protocol.upload_tokens import UPLOAD_PATH
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.files.blobs import NAME, BlobMissing, read_sha256, too_large
from convexpy.services.files.served_types import type_headers
from convexpy.services.files.service import FileService, check_content_type

logger: logging.Logger = logging.getLogger("convexpy.http")
FILES_PATH = "/api/storage/"
VARY = (b"vary", b"origin")
"""A browser that has a file from `<img>`, without CORS headers, must not use it for `fetch`."""


class _Delete(msgspec.Struct):
    ids: list[str]


@dataclass(kw_only=True, eq=False)
class FileRoutes(AdminRoutes):
    """The routes of stored files."""

    files: FileService

    def routes(self) -> Routes:
        """Return the handlers."""
        return replace(super().routes(), below={FILES_PATH: self.content})

    async def content(self, request: HttpRequest) -> Response:
        """Take an upload, or send a file."""
        if request.path == UPLOAD_PATH:
            if request.method != "POST":
                raise method_not_allowed(request)
            return await self._upload(request)
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed(request)
        return await self._download(request, request.path.removeprefix(FILES_PATH))

    @route("POST", "/api/convexpy/storage/upload_url", "data:write")
    async def upload_url(self, request: HttpRequest) -> dict[str, str]:
        """Return where the holder of an admin key can upload."""
        return {"url": self.files.upload_url()}

    @route("POST", "/api/convexpy/storage/delete", "data:write", _Delete)
    async def delete(self, body: _Delete) -> dict[str, list[str]]:
        """Delete files, all of them or none."""
        await self.files.delete(body.ids)
        return {"deleted": body.ids}

    async def _upload(self, request: HttpRequest) -> Response:
        self.files.check_token(request.query("token"))
        content_type = request.header(b"content-type")
        check_content_type(content_type)
        expected = expected_sha256(request.header(b"digest"))
        announced = request.header(b"content-length")
        try:
            if announced is not None and announced.isdecimal() and int(announced) > self.files.size_max:
                raise too_large(self.files.size_max)
            async with contextlib.aclosing(body_chunks(request)) as chunks:
                id = await self.files.store(chunks, content_type, expected)
        except RequestError as error:
            if error.status != 413:
                raise
            response = error_response(error)  # the rest of the file is not waited for
            response.headers = [*response.headers, (b"connection", b"close")]
            return response
        return json_response({"storageId": id})

    async def _download(self, request: HttpRequest, name: str) -> Response:
        if not NAME.fullmatch(name):
            raise RequestError(
                "Invalid storage path: files are downloaded with the URL that `storage.get_url` returns.",
                code="InvalidStoragePath",
            )
        found = await self.files.find(name)
        if found is None:
            raise RequestError("File not found", status=404, code="FileNotFound")
        tag = entity_tag(found)
        if matches(request.header(b"if-none-match"), tag):
            return Response(304, b"", [(b"etag", tag.encode()), CACHE, VARY])
        headers = [*file_headers(found), (b"etag", tag.encode())]
        asked = request.header(b"range")
        if asked is not None and found.size and request.header(b"if-range") in (None, tag):
            try:
                part = parse_range(asked, found.size)
            except RequestError as error:
                return Response(error.status, b"", [(b"content-range", b"bytes */%d" % found.size)])
            if part is not None:
                shown = b"bytes %d-%d/%d" % (part.start, part.end - 1, found.size)
                return await self._body(request, name, 206, [*headers, (b"content-range", shown)], part)
        digest = (b"digest", f"sha-256={found.sha256}".encode())
        return await self._body(request, name, 200, [*headers, digest], Range(0, found.size))

    async def _body(
        self, request: HttpRequest, name: str, status: int, headers: Headers, part: Range
    ) -> Response:
        chunks = None
        if request.method != "HEAD" and part.end > part.start:
            try:
                chunks = await self.files.blobs.read(name, part.start, part.end)
            except BlobMissing:
                logger.error("the bytes of the file %s are missing", name)
                raise RequestError("File not found", status=404, code="FileNotFound") from None
        return FileResponse(status, headers, part.end - part.start, chunks)


def expected_sha256(header: str | None) -> bytes | None:
    """Return the digest that a `Digest` header announces, None without a header.

    Raises:
        RequestError: it has no sha-256, or a malformed one.
    """
    if header is None:
        return None
    for part in header.split(","):
        algorithm, _, text = part.strip().partition("=")
        if algorithm.lower() == "sha-256":
            digest = read_sha256(text) if len(text) < 64 else None
            if digest is not None:
                return digest
            break
    raise RequestError("the header Digest must be `sha-256=` and 32 bytes in base64", code="BadHeader")


def entity_tag(found: StoredFile) -> str:
    """Return the strong tag of a file: its content never changes."""
    return f'"{found.sha256}"'


def matches(header: str | None, tag: str) -> bool:
    """Say whether an `If-None-Match` names the tag; a weak one counts."""
    if header is None:
        return False
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in header.split(","))


def file_headers(found: StoredFile) -> Headers:
    """Return what is said of a file whatever part of it is sent."""
    return [(b"accept-ranges", b"bytes"), CACHE, VARY, *type_headers(found.content_type)]
