"""Schema and indexes of a table: fields with their types, and how far the building of each index is."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from nicegui import ui

from convexpy.errors import Error
from convexpy.protocol.admin_api import DeploymentStatus, TableInfo
from convexpy.protocol.app_description import AnyIndex, TableDescription
from convexpy.schema.shapes import shape
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.ui.dialogs import described as in_words
from convexpy_cli.dashboard.ui.elements import empty, facts, link, note, tag
from convexpy_cli.dashboard.ui.frame import forbidden, frame
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every
from convexpy_cli.output.units import size_text
from convexpy_cli.schema.text import object_fields

EVERY_S = 1.0
FIELDS = (Column("field", "Field", "mono"), Column("type", "Type", "mono"), Column("required", "Required"))
INDEXES = (
    Column("name", "Index", "mono"),
    Column("kind", "Kind", "wide"),
    Column("fields", "Fields", "mono"),
    Column("state", "State"),
)


def add(dashboard: Dashboard) -> None:
    """Add the page."""

    @ui.page("/schema/{table}")
    async def schema(table: str) -> None:
        with frame(dashboard, table, "data", subtitle="schema and indexes") as actions:
            with actions:
                link("Documents", f"/data/{quote(table)}", "button")
            if not dashboard.deployment.allows("data:view"):
                forbidden(dashboard, "read tables")
                return
            try:
                app = await dashboard.deployment.app()
            except Error as error:
                note(in_words(error), "bad")
                return
            _show(dashboard, table, app.tables.get(table))


def _show(dashboard: Dashboard, name: str, described: TableDescription | None) -> None:
    sizes = tag("div")
    with tag("section", classes="section", aria_label="Fields"):
        tag("h2", "Fields")
        if described is None:
            empty(
                "Not in the schema",
                "Any document is accepted here. Declare the table in schema.py to have documents checked.",
            )
        else:
            Grid(f"Fields of {name}", FIELDS).show(field_rows(described))
    with tag("section", classes="section", aria_label="Indexes"):
        tag("h2", "Indexes")
        progress = note("", "warn")
        indexes = Grid(f"Indexes of {name}", INDEXES)

    def update(found: tuple[list[TableInfo], DeploymentStatus | None]) -> None:
        table = next((each for each in found[0] if each.name == name), None)
        status = found[1]
        sizes.clear()
        with sizes:
            facts(_sizes(table))
        indexes.show(index_rows(table, described))
        walking = status.walking if status is not None else None
        going_on = walking is not None and walking.table == name
        progress.set_visibility(going_on)
        if walking is not None and table is not None and going_on:
            progress.text = progress_text(walking.documents, table.documents)

    async def read() -> tuple[list[TableInfo], DeploymentStatus | None]:
        allowed = dashboard.deployment.allows("functions:view")
        return await dashboard.deployment.tables(), await dashboard.deployment.status() if allowed else None

    Following(lambda: every(EVERY_S, read), update)


def _sizes(table: TableInfo | None) -> dict[str, str]:
    if table is None:
        return {"Documents": "no such table"}
    return {
        "Documents": f"{table.documents:,}",
        "Size": size_text(table.size_bytes),
        "Indexes": str(len(table.indexes) + 1),
    }


def progress_text(done: int, all_documents: int) -> str:
    """Return how far a walk over a table is."""
    share = min(done / all_documents, 1.0) if all_documents else 1.0
    return f"Building indexes: {done:,} of {all_documents:,} documents ({share:.0%})"


def field_rows(described: TableDescription) -> list[Row]:
    """Return a row for each field of a table."""
    return [
        Row(name, [name, shape(field["fieldType"]), "optional" if field.get("optional") else "required"])
        for name, field in object_fields(described.validator)
    ]


def index_rows(table: TableInfo | None, described: TableDescription | None) -> list[Row]:
    """Return a row for each index: those that are stored, and those of the schema that are not."""
    rows = [
        Row("by_creation_time", ["by_creation_time", "built in", "_creationTime", Cell("ready", tone="good")])
    ]
    stored = {each.name for each in table.indexes} if table is not None else set[str]()
    for each in table.indexes if table is not None else ():
        tone = {"ready": "good", "building": "warn"}.get(each.state, "")
        rows.append(
            Row(each.name, [each.name, "database", ", ".join(each.fields), Cell(each.state, tone=tone)])
        )
    for kind, name, fields in _declared(described):
        if name not in stored:
            rows.append(Row(name, [name, kind, fields, Cell("not stored", tone="warn")]))
    return rows


def _declared(described: TableDescription | None) -> list[tuple[str, str, str]]:
    if described is None:
        return []
    every_index: Sequence[AnyIndex] = (
        *described.indexes,
        *described.search_indexes,
        *described.vector_indexes,
    )
    return [_declaration(each) for each in every_index]


def _declaration(index: AnyIndex) -> tuple[str, str, str]:
    fields = getattr(index, "fields", None)
    if fields is not None:
        return "database", index.name, ", ".join(fields)
    search = getattr(index, "search_field", None)
    return (
        ("search", index.name, str(search))
        if search
        else ("vector", index.name, str(getattr(index, "vector_field", "")))
    )
