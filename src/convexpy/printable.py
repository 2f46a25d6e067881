"""Text from outside, as terminals and line logs may show it.

Escape sequences in what a client sent can rewrite what a terminal shows, or answer questions that nobody asked; a line
break can pass for a line of the log. What is escaped: the control characters of C0 and C1, DEL, line and paragraph separators,
the characters that change the direction of text, and halves of surrogate pairs.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_LINE = re.compile(_UNSAFE.pattern.replace("\x00-\x08\x0b-\x1f", "\x00-\x1f"))
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def counted(number: int, what: str) -> str:
    """Return `1 document` or `1,204 documents`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    r"""Return `text` with its control characters escaped, as `\x1b` or `\u202e`; line breaks and tabs stay."""
    return _UNSAFE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return `text` as one line: line breaks and tabs are escaped, too."""
    return _UNSAFE_IN_LINE.sub(_escaped, text)


def indented(text: str) -> str:
    """Return `text` with its control characters escaped and every line after the first indented by four spaces."""
    return printable(text.replace("\r\n", "\n")).replace("\n", "\n    ")


def json_printable(text: str) -> str:
    r"""Return JSON text of the same value in which control characters are written as `\uXXXX`."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
