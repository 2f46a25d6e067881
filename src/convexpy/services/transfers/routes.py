"""Exports and imports over HTTP: the routes of the official command line, and a few of our own beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from convexpy.errors import RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import Headers, HttpRequest, Response, decode_body
from convexpy.http.routing import Routes
from convexpy.http.streaming import CACHE, FileResponse, Range, body_chunks, parse_range
from convexpy.limits import UPLOAD_PART_BYTES_MAX
from convexpy.services._admin_routes import AdminRoutes, route
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


@dataclass(kw_only=True, eq=False)
class ExportRoutes(AdminRoutes):
    """The routes of exports. Downloaded files are called after the deployment."""

    exports: Exports
    deployment: str

    def routes(self) -> Routes:
        """Return the handlers."""
        return replace(super().routes(), below={"/api/export/": self.respond})

    @route("POST", "/api/export/request/zip", "data:view")
    async def request(self, request: HttpRequest) -> dict[str, str]:
        """Start an export; `tables` and `backup` are our own parameters."""
        if request.query("component"):
            raise RequestError("components are not supported", code="UnsupportedByConvexpy")
        tables = request.query("tables")
        id = await self.exports.request(
            include_storage=request.query("includeStorage") == "true",
            tables=None if tables is None else [name for name in tables.split(",") if name],
            backup=request.query("backup") == "true",
        )
        return {"id": id}

    @route("POST", "/api/convexpy/exports/delete", "data:write", _Which)
    async def delete(self, body: _Which) -> dict[str, str]:
        """Remove a completed export."""
        await self.exports.delete(body.id)
        return {"deleted": body.id}

    async def respond(self, request: HttpRequest) -> Response:
        """Serve a path that names an export."""
        path = request.path
        if path.startswith(ZIP_PATH) and request.method in ("GET", "HEAD"):
            return await self._download(request, path.removeprefix(ZIP_PATH))
        if path.startswith(CANCEL_PATH) and request.method == "POST":
            await admin_for(self.identities, request, "data:view")
            await self.exports.cancel(path.removeprefix(CANCEL_PATH))
            return Response(200)
        if path.startswith(EXPIRE_PATH) and request.method == "POST":
            await admin_for(self.identities, request, "data:write")
            body: _Expiration = decode_body(await request.json_body(), _Expiration)
            moment = body.expiration_ts_ns if body.expiration_ts_ns is not None else body.expiration_ts
            if moment is None:
                raise RequestError("`expirationTsNs` is missing", code="BadJsonBody")
            await self.exports.set_expiration(path.removeprefix(EXPIRE_PATH), moment)
            return Response(200)
        raise RequestError("no such route below /api/export", code="UnsupportedByConvexpy")

    async def _download(self, request: HttpRequest, which: str) -> Response:
        await admin_for(self.identities, request, "data:view")
        found, path = await self.exports.find(which)
        size = path.stat().st_size
        name = f"snapshot_{self.deployment}_{int(found['start_ts'])}.zip"
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


@dataclass(kw_only=True, eq=False)
class ImportRoutes(AdminRoutes):
    """The routes of imports. Upload tokens are secrets of their own; a key is needed all the same."""

    imports: Imports

    @route("POST", "/api/import/start_upload", "data:write")
    async def start_upload(self, request: HttpRequest) -> dict[str, str]:
        """Begin an upload."""
        return {"uploadToken": await asyncio.to_thread(self.imports.uploads.start)}

    @route("POST", "/api/import/upload_part", "data:write")
    async def upload_part(self, request: HttpRequest) -> str:
        """Take the bytes of one part: `?uploadToken=…&partNumber=…`."""
        request.body_max = UPLOAD_PART_BYTES_MAX
        number = request.query("partNumber") or ""
        if not number.isdecimal() or len(number) > 9:
            raise RequestError("`partNumber` must be a number", code="BadPartNumber")
        data, uploads = await request.body(), self.imports.uploads
        return await asyncio.to_thread(uploads.add, request.query("uploadToken") or "", int(number), data)

    @route("GET", "/api/convexpy/import/parts", "data:write")
    async def parts(self, request: HttpRequest) -> dict[str, dict[int, str]]:
        """Say which parts of `?uploadToken=…` have arrived, to go on with an upload."""
        return {"parts": self.imports.uploads.parts(request.query("uploadToken") or "")}

    @route("POST", "/api/import/finish_upload", "data:write", _Finish)
    async def finish_upload(self, body: _Finish) -> dict[str, str]:
        """Check what was uploaded."""
        return {"importId": await self.imports.finish(body.import_, body.upload_token, body.part_tokens)}

    @route("POST", "/api/perform_import", "data:write", _WhichImport)
    async def perform(self, body: _WhichImport) -> dict[str, str]:
        """Confirm an import."""
        await self.imports.perform(body.import_id)
        return {}

    @route("POST", "/api/cancel_import", "data:write", _WhichImport)
    async def cancel(self, body: _WhichImport) -> dict[str, str]:
        """Cancel an import."""
        await self.imports.cancel(body.import_id)
        return {}

    @route("POST", "/api/import", "data:write")
    async def at_once(self, request: HttpRequest) -> dict[str, int]:
        """Import the body as a whole: `?tableName=&format=&mode=`."""
        wanted = ImportRequest(
            format=request.query("format") or "",
            mode=request.query("mode") or "requireEmpty",
            table_name=request.query("tableName"),
        )
        return {"numWritten": await self.imports.run_at_once(wanted, body_chunks(request))}
