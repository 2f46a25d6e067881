"""How a stored file is served: anybody may have uploaded it, under any type, and it comes from the origin of the API.

Browsers look at types in their own ways: they take the first of a list, drop what follows a space, run scripts of XML of
any name. So a type is parsed whole. Those that a browser only shows or plays go out as they are. Other well-formed types
keep their name, for programs that fetch a file, but are downloaded where a browser would open them. Everything else is
bytes. Whatever it is, no type is guessed, and a document has an origin of its own without scripts.
"""

from __future__ import annotations

import re

from convexpy.http.messages import Headers

_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_TYPE = re.compile(rf"\s*({_TOKEN})/({_TOKEN})(?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))*\s*;?\s*")
_SHOWN = {
    "image": "apng avif bmp gif heic heif jpeg jpg png tiff vnd.microsoft.icon webp x-icon x-ms-bmp",
    "audio": "3gpp aac basic flac m4a midi mp3 mp4 mpeg ogg opus wav wave webm x-aac x-flac x-m4a x-mpeg x-wav",
    "video": "3gpp mp4 mpeg ogg quicktime webm x-m4v x-matroska x-msvideo",
    "font": "collection otf sfnt ttf woff woff2",
    "text": "csv markdown plain tab-separated-values vtt",
    "application": "json ogg",
}
INERT = frozenset(f"{kind}/{name}" for kind, names in _SHOWN.items() for name in names.split())
"""Types that hold no script for any browser, and are not interpreted as anything else."""
_NEVER_NAMED = re.compile(
    r"multipart/.*|.*/(x-)?(ecma|java|j|live)script.*|text/(css|event-stream|cache-manifest)|.*wasm"
)
"""Types that act without being opened: parts that replace each other, scripts, style sheets."""
BYTES = "application/octet-stream"
SAFE: Headers = [(b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"sandbox")]
ATTACHMENT = (b"content-disposition", b"attachment")


def type_headers(stored: str | None) -> Headers:
    """Return the headers that say what a file is and how a browser may treat it."""
    if stored is None:
        return [*SAFE, ATTACHMENT]
    found = _TYPE.fullmatch(stored) if stored.isascii() and stored.isprintable() else None
    if found is None:
        return [*SAFE, ATTACHMENT, (b"content-type", BYTES.encode())]
    essence = f"{found[1]}/{found[2]}".lower()
    if _NEVER_NAMED.fullmatch(essence):
        return [*SAFE, ATTACHMENT, (b"content-type", BYTES.encode())]
    named = (b"content-type", stored.strip().encode())
    return [*SAFE, named] if essence in INERT else [*SAFE, ATTACHMENT, named]
