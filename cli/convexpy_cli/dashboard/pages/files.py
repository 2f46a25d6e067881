"""Files: what is stored, with previews of pictures; uploading, downloading, deleting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import quote

import msgspec
from nicegui import app as routes, ui
from nicegui.element import Element
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from convexpy.client import FileInfo
from convexpy.errors import Error
from convexpy.protocol.system.data import ReadTable
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.dialogs import ask, change, confirmed, described as in_words, panel
from convexpy_cli.dashboard.ui.elements import button, empty, enable, facts, note, tag
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following
from convexpy_cli.output.units import local_time, size_text

COUNT = 50
MEMORY_BYTES = 1024 * 1024
"""An upload that is larger passes through a temporary file."""
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
"""What is shown in place. Not SVG or HTML: they could run scripts with the rights of the dashboard."""
COLUMNS = (
    Column("preview", "", "preview"),
    Column("id", "Id", "mono"),
    Column("type", "Type"),
    Column("size", "Size", "number"),
    Column("created", "Created", "number wide"),
)


def add(dashboard: Dashboard) -> None:
    """Add the page, and the routes of contents."""

    @ui.page("/files")
    def files() -> None:
        with frame(dashboard, "Files", "files") as actions:
            if not dashboard.deployment.allows("data:view"):
                forbidden(dashboard, "see files")
                return
            FilesView(dashboard.deployment, actions)

    @routes.get("/files/content/{id}")
    async def content(request: Request, id: str) -> Response:
        return await send(dashboard.deployment, id, inline="download" not in request.query_params)

    @routes.post("/files/upload")
    async def upload(request: Request) -> Response:
        return await store(dashboard.deployment, request)


async def send(deployment: Deployment, id: str, *, inline: bool) -> Response:
    """Return the content of a file: pictures to be shown, everything else to be saved."""
    try:
        info = await deployment.file(id)
    except Error as error:
        return Response(in_words(error), status_code=502)
    if info is None:
        return Response("no such file", status_code=404)
    picture = (info.content_type or "").partition(";")[0].strip().lower() in PICTURES
    headers = {
        "Content-Disposition": "inline"
        if inline and picture
        else f"attachment; filename*=UTF-8''{quote(id)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Length": str(info.size),
        "Cache-Control": "private, max-age=3600",
    }
    kind = str(info.content_type) if picture else "application/octet-stream"
    return StreamingResponse(deployment.content(id), media_type=kind, headers=headers)


async def store(deployment: Deployment, request: Request) -> Response:
    """Store the body of a request as a file."""
    with SpooledTemporaryFile(MEMORY_BYTES) as spooled:
        size = 0
        async for piece in request.stream():
            await asyncio.to_thread(spooled.write, piece)
            size += len(piece)
        spooled.seek(0)
        try:
            info = await deployment.upload(spooled, size, request.headers.get("content-type"))  # type: ignore[arg-type]  # it reads
        except Error as error:
            return JSONResponse({"error": in_words(error)}, status_code=400)
    return JSONResponse({"id": info.id})


class FilesView:
    """The newest files, a page at a time."""

    def __init__(self, deployment: Deployment, actions: Element) -> None:
        self._deployment = deployment
        self._writes = deployment.allows("data:write")
        self._cursors: list[str | None] = [None]
        self._next: str | None = None
        if self._writes:
            with actions:
                self._chooser = tag(
                    "input",
                    type="file",
                    multiple=True,
                    classes="hidden",
                    aria_label="Files to upload",
                    id="chooser",
                )
                self._chooser.on("change", js_handler="(event) => uploadFiles(event.target)")
                button("Upload files", self._upload, look="primary", symbol="plus")
        self._state = tag("p", "", "note hidden", role="status", id="upload-state")
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._grid = Grid("Files", COLUMNS, opener=1, on_open=self._open)
        self._empty = tag("div")
        with tag("div", classes="pager"):
            self._place = tag("span", role="status")
            tag("span", classes="grow")
            self._back = button("Previous", self._previous, symbol="left")
            self._on = button("Next page", self._forward, symbol="right")
        self._following = Following(self._watch, self._show, self._failed)

    async def _watch(self) -> AsyncGenerator[tuple[list[FileInfo], str | None], None]:
        call = ReadTable("_storage", {"numItems": COUNT, "cursor": self._cursors[-1]}, "desc")
        async for page in self._deployment.watch_system(call):
            yield (
                msgspec.convert(page.page, list[FileInfo], strict=False),
                None if page.is_done else page.continue_cursor,
            )
            if len(page.page) > COUNT:
                return

    def _show(self, found: tuple[list[FileInfo], str | None]) -> None:
        files, self._next = found
        self._error.set_visibility(False)
        self._grid.show([file_row(each) for each in files])
        self._place.text = f"Page {len(self._cursors)} · {len(files)} files"
        enable(self._back, len(self._cursors) > 1)
        enable(self._on, self._next is not None)
        nothing = not files and len(self._cursors) == 1
        self._grid.set_visibility(not nothing)
        self._empty.clear()
        if nothing:
            with self._empty:
                empty(
                    "No files yet",
                    "Upload one here, or let clients do it with ctx.storage.generate_upload_url().",
                )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    def _forward(self) -> None:
        if self._next is not None:
            self._cursors.append(self._next)
            self._following.restart()

    def _previous(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
            self._following.restart()

    async def _upload(self) -> None:
        if await confirmed(self._deployment):
            ui.run_javascript("document.querySelector('#chooser').click()")

    async def _open(self, id: str) -> None:
        try:
            info = await self._deployment.file(id)
        except Error as error:
            self._failed(error)
            return
        if info is not None:
            self._panel(info)

    def _panel(self, info: FileInfo) -> None:
        with panel("File", subtitle=info.id) as (opened, inside, foot):
            with inside:
                if is_picture(info):
                    tag(
                        "img", classes="preview", src=f"/files/content/{info.id}", alt=f"Preview of {info.id}"
                    )
                facts(
                    {
                        "Type": info.content_type or "not given",
                        "Size": size_text(info.size),
                        "Created": local_time(info.created_at),
                    }
                )
                tag("p", "SHA-256, as base64", "muted")
                tag("code", info.sha256)
            with foot:
                if self._writes:
                    button("Delete", lambda: self._delete(info.id, opened), look="danger", symbol="trash")
                tag("span", classes="grow")
                tag(
                    "a",
                    "Download",
                    "button primary",
                    href=f"/files/content/{info.id}?download=1",
                    download=True,
                )
        opened.open()

    async def _delete(self, id: str, opened: Any) -> None:
        name = self._deployment.identified.name
        if not await ask(
            "Delete this file?",
            f"{id} is removed from {name} for good; its address stops working.",
            "Delete",
            danger=True,
        ):
            return
        if await change(
            self._deployment, lambda: self._deployment.delete_files([id]), done=f"Deleted from {name}"
        ):
            opened.close()


def is_picture(info: FileInfo) -> bool:
    """Say whether the browser shows it in place."""
    return (info.content_type or "").partition(";")[0].strip().lower() in PICTURES


def file_row(info: FileInfo) -> Row:
    """Return the row of a file."""
    preview = Cell("", image=f"/files/content/{info.id}") if is_picture(info) else Cell("")
    kind = Cell(info.content_type) if info.content_type else Cell("not given", tone="null")
    return Row(info.id, [preview, info.id, kind, size_text(info.size), local_time(info.created_at)])
