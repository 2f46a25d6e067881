"""Structural rules of values: names of fields, lengths, depth. One place for the checks and their texts.

The texts follow Convex's, since people search for them.
"""

from __future__ import annotations

from convexpy.limits import (
    ARRAY_LENGTH_MAX,
    FIELD_NAME_LENGTH_MAX,
    OBJECT_FIELDS_MAX,
    VALUE_NESTING_MAX,
)

_NAMES_KEPT = 20_000


class Fault(Exception):
    """Something is wrong with a value; `segments` is where, from the inside out, filled while a walk unwinds.

    `text` is a template in which `{path}` stands for the place.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.segments: list[str | int] = []

    def describe(self, root: str) -> str:
        """Return the message for a value that is known as `root`."""
        path = root + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in reversed(self.segments)
        )
        return self.text.replace("{path}", path)


valid_names: set[str] = set()
"""Field names that were found valid; a walk looks here before it calls `check_name`."""


def check_name(name: object) -> str:
    """Return the field name if it is one: a `str` of printable ASCII, not starting with `$`."""
    if not isinstance(name, str):
        raise Fault(f"unsupported field name at {{path}}: {name!r} is not a string")
    if name.startswith("$"):
        raise Fault(f"Field name {name} starts with '$', which is reserved, at {{path}}")
    if len(name) > FIELD_NAME_LENGTH_MAX:
        raise Fault(
            f"Field name {name[:40]}… is too long "
            f"({len(name)} > maximum length {FIELD_NAME_LENGTH_MAX}), at {{path}}"
        )
    for character in name:
        if not " " <= character <= "~":
            raise Fault(
                f"Field name {name!r} has invalid character {character!r}: "
                "Field names can only contain non-control ASCII characters, at {path}"
            )
    if len(valid_names) >= _NAMES_KEPT:
        valid_names.clear()
    name = str(name)
    valid_names.add(name)
    return name


def check_count(count: int) -> None:
    """Refuse an object with too many fields."""
    if count > OBJECT_FIELDS_MAX:
        raise Fault(f"Object has too many fields ({count} > maximum number {OBJECT_FIELDS_MAX}), at {{path}}")


def check_length(length: int) -> None:
    """Refuse an array that is too long."""
    if length > ARRAY_LENGTH_MAX:
        raise Fault(f"Array length is too long ({length} > maximum length {ARRAY_LENGTH_MAX}), at {{path}}")


def too_nested() -> Fault:
    """Return the fault of a value with too many levels."""
    return Fault(
        f"Value is too nested (nested {VALUE_NESTING_MAX + 1} levels deep "
        f"> maximum nesting {VALUE_NESTING_MAX})"
    )


def check_text(text: str) -> None:
    """Refuse half of a surrogate pair, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Fault("unsupported value at {path}: str with a lone surrogate") from None
