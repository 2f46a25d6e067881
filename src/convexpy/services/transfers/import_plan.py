"""What an import is asked to do, and what it will do once its file is checked."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.errors import RequestError


class ImportRequest(msgspec.Struct, rename="camel"):
    """What is to be imported, and how. `types`, `delimiter` and `dry_run` are our own additions to the official form."""

    format: str
    mode: str = "requireEmpty"
    table_name: str | None = None
    component_path: str | None = None
    types: dict[str, str] = {}
    delimiter: str | None = None
    dry_run: bool = False
    file_name: str | None = None


class PlannedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table of an import, as it was prepared."""

    name: str
    tablet: int
    insert: bool
    file: str
    documents: int
    before: int


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a checked import will do."""

    request: ImportRequest
    schema: str
    tables: list[PlannedTable]
    cleared: dict[str, int]
    hidden: list[int]
    files: int | None
    files_before: int
    bytes: int

    @property
    def documents(self) -> int:
        """How many documents will be written."""
        return sum(table.documents for table in self.tables)

    def after(self, table: PlannedTable) -> int:
        """Return how many documents a table will have."""
        return table.documents + (table.before if self.request.mode == "append" else 0)

    def described(self) -> dict[str, Any]:
        """Return the counts as the document of the import has them: `tables` (name, before, after), `files`, `bytes`."""
        shown = [{"name": t.name, "before": t.before, "after": self.after(t)} for t in self.tables]
        shown += [{"name": name, "before": count, "after": 0} for name, count in self.cleared.items()]
        return {"tables": shown, "files": self.files, "bytes": self.bytes}

    @property
    def replaces(self) -> bool:
        """Whether the mode is one that removes documents."""
        return self.request.mode in ("replace", "replaceAll")

    @property
    def deletes(self) -> bool:
        """Whether documents or files that are there will not be afterwards."""
        files = self.files is not None and self.files_before > 0
        return self.replaces and (files or any(row["before"] for row in self.described()["tables"]))

    def message(self) -> str:
        """Return a table of what will change, for a person to confirm."""
        rows = [("table", "create", "delete")]
        for table in self.tables:
            deleted = f"{table.before:,} of {table.before:,}" if self.replaces and table.before else ""
            rows.append((table.name, f"{table.documents:,}", deleted))
        rows += [(name, "", f"{count:,} of {count:,}") for name, count in self.cleared.items()]
        if self.files is not None:
            deleted = f"up to {self.files_before:,}" if self.replaces and self.files_before else ""
            rows.append(("_storage", f"{self.files:,}", deleted))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([lines[0], "-" * sum((*widths, 6)), *lines[1:]])


def check_request(request: ImportRequest) -> None:
    """Refuse a request that makes no sense (RequestError)."""
    if request.component_path:
        raise RequestError("components are not supported", code="UnsupportedByConvexpy")
    if request.format not in ("csv", "jsonLines", "jsonArray", "zip"):
        raise RequestError(f"unknown format {request.format!r}", code="BadImportFormat")
    if request.mode not in ("append", "replace", "replaceAll", "requireEmpty"):
        raise RequestError(f"unknown mode {request.mode!r}", code="BadImportMode")
    if request.delimiter is not None and (len(request.delimiter) != 1 or request.delimiter in '"\r\n'):
        raise RequestError("`delimiter` is one character, and no quote", code="BadImportFormat")
    if (request.format == "zip") == (request.table_name is not None):
        what = "a zip names its tables itself" if request.format == "zip" else "`tableName` is missing"
        raise RequestError(what, code="BadImportTable")
