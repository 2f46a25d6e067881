"""How files are served, by the type that somebody has stored."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, strategies as st

from convexpy.services.files.served_types import INERT, type_headers

SHOWN = ["image/png", "IMAGE/JPEG", "image/webp;q=1", "text/plain; charset=utf-8", "video/mp4; codecs=\"avc1.42E01E, mp4a.40.2\"",
         "audio/webm;codecs=opus", " text/csv ", "application/json"]  # fmt: skip
NAMED = ["text/html", "TEXT/HTML;charset=utf-8", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml", "text/xsl",
         "application/rss+xml", "application/pdf", "application/zip", "text/rtf", "model/gltf-binary", "x/y"]  # fmt: skip
BYTES = ["text/html foo", "image/svg+xml foo", "image/png foo", "image/png, text/html", "text/html, image/png", "image/png,image/png",
         "multipart/x-mixed-replace", "multipart/x-mixed-replace; boundary=a", "multipart/mixed", "", " ", "image", "image/", "/png",
         "image/png/x", "image/png;", "image/png;charset", "image/png; a=b c", "image/png\r\nx: y", "image/png\x00", "image/png\t;\x0b",
         "text/javascript", "application/javascript", "application/x-ecmascript", "text/css", "application/wasm", "*/*", "text/event-stream",
         "image/png;a=\"", "image/pñg", "image/png\ud800", "text\\html", "text/html\u2028", "<b>/x", "image/(png)"]  # fmt: skip


@pytest.mark.parametrize("kind", SHOWN)
def test_inert_types_are_shown(kind: str) -> None:
    headers = dict(type_headers(kind))
    assert headers[b"content-type"] == kind.strip().encode()
    assert b"content-disposition" not in headers


@pytest.mark.parametrize("kind", NAMED)
def test_other_types_are_named_and_downloaded(kind: str) -> None:
    headers = dict(type_headers(kind))
    assert headers[b"content-type"] == kind.encode()
    assert headers[b"content-disposition"] == b"attachment"


@pytest.mark.parametrize("kind", [each for each in BYTES if each != "image/png;"])
def test_scripts_parts_and_malformed_types_are_bytes(kind: str) -> None:
    headers = dict(type_headers(kind))
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"content-disposition"] == b"attachment"


@given(st.one_of(st.none(), st.text(max_size=60), st.text(string.printable, max_size=60)))
@example("text/html;x=image/png")
@example("image/png;text/html")
def test_any_type_is_sandboxed_and_never_guessed(kind: str | None) -> None:
    headers = type_headers(kind)
    found = dict(headers)
    assert len(found) == len(headers)
    assert found[b"x-content-type-options"] == b"nosniff"
    assert found[b"content-security-policy"] == b"sandbox"
    shown = found.get(b"content-type", b"").decode().split(";")[0].strip().lower()
    assert shown in INERT or found[b"content-disposition"] == b"attachment"
    assert all(0x20 <= each < 0x7F for value in found.values() for each in value)
