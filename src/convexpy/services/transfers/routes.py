"""Exports and imports over HTTP: the routes of the official command line, and a few of our own beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from convexpy.engine.identities import Identities
from convexpy.errors import RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import Headers, HttpRequest, Response, decode_body, json_response
from convexpy.http.routing import Routes
from convexpy.http.streaming import CACHE, FileResponse, Range, body_chunks, parse_range
from convexpy.limits import UPLOAD_PART_BYTES_MAX
from convexpy.services.transfers.exports import Exports
from convexpy.services.transfers.import_plan import ImportRequest
from convexpy.services.transfers.imports import Imports

ZIP_PATH = "/api/export/zip/"
CANCEL_PATH = "/api/export/cancel/"
EXPIRE_PATH = "/api/export/set_expiration/"
PIECE_BYTES = 256 * 1024


class _Expiration(msgspec.Struct, rename="camel"):
    expiration_ts_ns: int | None = None
    expiration_ts: int | None = None


class _Which(msgspec.Struct):
    id: str


class ExportRoutes:
    """The routes of exports."""

    def __init__(self, *, exports: Exports, identities: Identities, deployment: str) -> None:
        """`deployment` is the name, which downloaded files have."""
        self._exports = exports
        self._identities = identities
        self._name = deployment

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("POST", "/api/export/request/zip"): self.request,
                ("POST", "/api/convexpy/exports/delete"): self.delete,
            },
            below={"/api/export/": self.respond},
        )

    async def request(self, request: HttpRequest) -> Response:
        """POST /api/export/request/zip: start an export; `tables` and `backup` are our own parameters."""
        await admin_for(self._identities, request, "data:view")
        if request.query("component"):
            raise RequestError("components are not supported", code="UnsupportedByConvexpy")
        tables = request.query("tables")
        id = await self._exports.request(
            include_storage=request.query("includeStorage") == "true",
            tables=None if tables is None else [name for name in tables.split(",") if name],
            backup=request.query("backup") == "true",
        )
        return json_response({"id": id})

    async def delete(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/exports/delete."""
        await admin_for(self._identities, request, "data:write")
        which: _Which = decode_body(await request.json_body(), _Which)
        await self._exports.delete(which.id)
        return json_response({"deleted": which.id})

    async def respond(self, request: HttpRequest) -> Response:
        """Serve a path that names an export."""
        path = request.path
        if path.startswith(ZIP_PATH) and request.method in ("GET", "HEAD"):
            return await self._download(request, path.removeprefix(ZIP_PATH))
        if path.startswith(CANCEL_PATH) and request.method == "POST":
            await admin_for(self._identities, request, "data:view")
            await self._exports.cancel(path.removeprefix(CANCEL_PATH))
            return Response(200)
        if path.startswith(EXPIRE_PATH) and request.method == "POST":
            await admin_for(self._identities, request, "data:write")
            body: _Expiration = decode_body(await request.json_body(), _Expiration)
            moment = body.expiration_ts_ns if body.expiration_ts_ns is not None else body.expiration_ts
            if moment is None:
                raise RequestError("`expirationTsNs` is missing", code="BadJsonBody")
            await self._exports.set_expiration(path.removeprefix(EXPIRE_PATH), moment)
            return Response(200)
        raise RequestError("no such route below /api/export", code="UnsupportedByConvexpy")

    async def _download(self, request: HttpRequest, which: str) -> Response:
        await admin_for(self._identities, request, "data:view")
        found, path = await self._exports.find(which)
        size = path.stat().st_size
        name = f"snapshot_{self._name}_{int(found['start_ts'])}.zip"
        headers: Headers = [
            (b"content-type", b"application/zip"),
            (b"content-disposition", f"attachment; filename={name}".encode()),
            (b"accept-ranges", b"bytes"),
            CACHE,
        ]
        asked = request.header(b"range")
        part, status = Range(0, size), 200
        if asked is not None:
            try:
                wanted = parse_range(asked, size)
            except RequestError as error:
                return Response(error.status, b"", [(b"content-range", b"bytes */%d" % size)])
            if wanted is not None:
                part, status = wanted, 206
                shown = b"bytes %d-%d/%d" % (part.start, part.end - 1, size)
                headers.append((b"content-range", shown))
        chunks = _pieces(path, part) if request.method == "GET" and part.end > part.start else None
        return FileResponse(status, headers, part.end - part.start, chunks)


async def _pieces(path: Path, part: Range) -> AsyncGenerator[bytes, None]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, part.start)
        left = part.end - part.start
        while left:
            piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
    finally:
        file.close()


class _Finish(msgspec.Struct, rename="camel"):
    import_: ImportRequest = msgspec.field(name="import")
    upload_token: str
    part_tokens: list[str]


class _WhichImport(msgspec.Struct, rename="camel"):
    import_id: str


class ImportRoutes:
    """The routes of imports. Upload tokens are secrets of their own; a key is needed all the same."""

    def __init__(self, *, imports: Imports, identities: Identities) -> None:
        self._imports = imports
        self._identities = identities

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("POST", "/api/import"): self.at_once,
                ("POST", "/api/import/start_upload"): self.start_upload,
                ("POST", "/api/import/upload_part"): self.upload_part,
                ("POST", "/api/import/finish_upload"): self.finish_upload,
                ("POST", "/api/perform_import"): self.perform,
                ("POST", "/api/cancel_import"): self.cancel,
                ("GET", "/api/convexpy/import/parts"): self.parts,
            }
        )

    async def start_upload(self, request: HttpRequest) -> Response:
        """POST /api/import/start_upload."""
        await admin_for(self._identities, request, "data:write")
        return json_response({"uploadToken": await asyncio.to_thread(self._imports.uploads.start)})

    async def upload_part(self, request: HttpRequest) -> Response:
        """POST /api/import/upload_part?uploadToken=…&partNumber=…: the bytes of one part."""
        await admin_for(self._identities, request, "data:write")
        request.body_max = UPLOAD_PART_BYTES_MAX
        number = request.query("partNumber") or ""
        if not number.isdecimal() or len(number) > 9:
            raise RequestError("`partNumber` must be a number", code="BadPartNumber")
        data, uploads = await request.body(), self._imports.uploads
        token = request.query("uploadToken") or ""
        return json_response(await asyncio.to_thread(uploads.add, token, int(number), data))

    async def parts(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/import/parts?uploadToken=…: what has arrived, to go on with an upload."""
        await admin_for(self._identities, request, "data:write")
        parts = self._imports.uploads.parts(request.query("uploadToken") or "")
        return json_response({"parts": {str(number): digest for number, digest in parts.items()}})

    async def finish_upload(self, request: HttpRequest) -> Response:
        """POST /api/import/finish_upload."""
        await admin_for(self._identities, request, "data:write")
        body: _Finish = decode_body(await request.json_body(), _Finish)
        id = await self._imports.finish(body.import_, body.upload_token, body.part_tokens)
        return json_response({"importId": id})

    async def perform(self, request: HttpRequest) -> Response:
        """POST /api/perform_import."""
        await admin_for(self._identities, request, "data:write")
        body: _WhichImport = decode_body(await request.json_body(), _WhichImport)
        await self._imports.perform(body.import_id)
        return json_response({})

    async def cancel(self, request: HttpRequest) -> Response:
        """POST /api/cancel_import."""
        await admin_for(self._identities, request, "data:write")
        body: _WhichImport = decode_body(await request.json_body(), _WhichImport)
        await self._imports.cancel(body.import_id)
        return json_response({})

    async def at_once(self, request: HttpRequest) -> Response:
        """POST /api/import?tableName=&format=&mode=: the whole file as the body."""
        await admin_for(self._identities, request, "data:write")
        wanted = ImportRequest(
            format=request.query("format") or "",
            mode=request.query("mode") or "requireEmpty",
            table_name=request.query("tableName"),
        )
        written = await self._imports.run_at_once(wanted, body_chunks(request))
        return json_response({"numWritten": written})
