"""Secrets are masked in all output but the few places that were asked for them by name."""

from __future__ import annotations

import re

_KNOWN: set[str] = set()
# An admin key, `name|secret`, in whatever text it stands; and the user-info of a URL.
_KEY = re.compile(r"\b([A-Za-z0-9][\w:.-]{0,63})\|([0-9a-fA-F]{16,})")
_USER_INFO = re.compile(r"(\w+://)[^/\s?#\"'<>]+@")
_BEARER = re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|convex|basic)\s+)\S+")


def register(secret: str) -> None:
    """Remember a secret, so that it is masked wherever it appears."""
    if len(secret) >= 6:
        _KNOWN.add(secret)


def mask(text: str) -> str:
    """Return `text` without the secrets that are known or look like one."""
    for secret in sorted(_KNOWN, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, secret.split("|", 1)[0] + "|…" if "|" in secret else "…")
    text = _KEY.sub(r"\1|…", text)
    text = _BEARER.sub(r"\1…", text)
    return _USER_INFO.sub(r"\1…@", text)
