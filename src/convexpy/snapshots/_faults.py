"""What is wrong with a file, and where."""

from __future__ import annotations

from typing import Any, NamedTuple

from convexpy.errors import Error


class Place(NamedTuple):
    """A place in a file; lines and columns count from 1, 0 means that it is not known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part)


class Fault(NamedTuple):
    """One row that cannot be used. Readers yield it in the place of the document and go on."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """Return it as tools read it."""
        file, line, column = self.place
        return {"file": file, "line": line, "column": column, "message": self.message}


class SnapshotError(Error, code="SnapshotInvalid"):
    """A file that cannot be used at all: damaged, of another kind, or made to harm. Nothing was taken from it.

    Codes: `SnapshotInvalid`, `SnapshotRefused` (an archive that no honest tool makes).
    """
