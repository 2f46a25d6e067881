"""Text that can be sent: Python strings may hold halves of surrogate pairs, which no UTF-8 can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what to add to a message about a name that is not known: the known one that it is near to, if there is one."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""


def sendable(text: str) -> str:
    r"""Return the text with halves of surrogate pairs written out, as in `a\ud800b`."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def sendable_json(value: Any) -> Any:
    """Return a JSON value with all its texts, keys too, as `sendable` returns them."""
    if isinstance(value, str):
        return sendable(value)
    if isinstance(value, list):
        return [sendable_json(each) for each in value]
    if isinstance(value, dict):
        return {sendable_json(key): sendable_json(each) for key, each in value.items()}
    return value
