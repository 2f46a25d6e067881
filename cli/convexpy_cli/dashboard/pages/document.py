"""One document: as JSON that can be edited, with what is wrong with it beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexpy.errors import Error
from convexpy.protocol.app_description import TableDescription
from convexpy_cli.dashboard import documents as texts
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.ui.dialogs import ask, change, described as in_words, panel, told
from convexpy_cli.dashboard.ui.elements import button, link, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.output.units import local_time

CHANGED = "It was changed meanwhile: close it and open it again to see what is there now."


async def edit(deployment: Deployment, id: str, tables: Mapping[int, str]) -> None:
    """Open a document to be read, edited or deleted."""
    try:
        found = await deployment.document(id)
        described = (await deployment.app()).tables.get(found[0]) if found else None
    except Error as error:
        told(in_words(error), bad=True)
        return
    if found is None:
        told(f"There is no document {id}: it may have been deleted.", bad=True)
        return
    _Editor(deployment, *found, described, tables).open()


class _Editor:
    """The panel of a document that there is."""

    def __init__(
        self,
        deployment: Deployment,
        table: str,
        document: dict[str, Any],
        described: TableDescription | None,
        tables: Mapping[int, str],
    ) -> None:
        self._deployment, self._table, self._document, self._described = (
            deployment,
            table,
            document,
            described,
        )
        self._id = str(document["_id"])
        writes = deployment.allows("data:write") and not table.startswith("_")
        with panel(f"Document of {table}", subtitle=self._id) as (self._panel, inside, foot):
            with inside:
                tag("p", f"Created {local_time(document['_creationTime'])}", "muted")
                self._links(tables)
                self._text = Field(
                    "Fields, as JSON", texts.to_text(document), kind="area", mono=True, on_change=self._check
                )
                if not writes:
                    self._text.props["readonly"] = True
                    note(
                        "This document cannot be changed here: the key reads only, or it belongs to the system."
                    )
            with foot:
                if writes:
                    button("Delete", self._delete, look="danger", symbol="trash")
                    tag("span", classes="grow")
                    button("Cancel", self._panel.close)
                    button("Save", self._save, look="primary")
                    self._text.on("enter", self._save)

    def open(self) -> None:
        """Show it."""
        self._panel.open()

    def _links(self, tables: Mapping[int, str]) -> None:
        """Link to the documents whose ids are in this one's fields."""
        found = {
            name: href
            for name, value in self._document.items()
            if name != "_id" and isinstance(value, str) and (href := texts.document_link(value, tables))
        }
        if found:
            with tag("div", classes="row"):
                tag("span", "Refers to", "muted")
                for name, href in found.items():
                    link(name, href, "link mono")

    def _check(self) -> None:
        self._text.fail(texts.problem(self._text.text, self._described))

    async def _save(self) -> None:
        try:
            after = texts.read_text(self._text.text, self._described)
        except Error as error:
            self._text.fail(in_words(error))
            return
        changed, removed = texts.differences(self._document, after)
        if not changed and not removed:
            self._panel.close()
            return
        saved = await change(
            self._deployment,
            lambda: self._patch(changed, removed),
            failed=self._text.fail,
            done=f"Saved in {self._table}",
        )
        if saved is not None:
            self._panel.close()

    async def _patch(self, changed: Mapping[str, Any], removed: list[str]) -> None:
        """Write what was edited, unless somebody else has changed the same fields since it was opened."""
        now = await self._deployment.document(self._id)
        touched = [*changed, *removed]
        if now is not None and any(now[1].get(name) != self._document.get(name) for name in touched):
            raise Error(CHANGED, code="ChangedMeanwhile")
        await self._deployment.patch(self._id, changed, removed)

    async def _delete(self) -> None:
        name = self._deployment.identified.name
        if not await ask(
            "Delete this document?",
            f"{self._id} is removed from {self._table} of {name} for good.",
            "Delete",
            danger=True,
        ):
            return
        if await change(
            self._deployment, lambda: self._deployment.delete([self._id]), done=f"Deleted from {name}"
        ):
            self._panel.close()


async def insert(deployment: Deployment, table: str, described: TableDescription | None) -> None:
    """Open an empty document, to be inserted."""
    with panel(f"Add a document to {table}") as (opened, inside, foot):
        with inside:
            if described is not None:
                tag("pre", "\n".join(texts.shape(described)), "value")
            text = Field("Fields, as JSON", texts.template(described), kind="area", mono=True)
            text.on_value_change(lambda: text.fail(texts.problem(text.text, described)))

            async def save() -> None:
                try:
                    document = texts.read_text(text.text, described)
                except Error as error:
                    text.fail(in_words(error))
                    return
                if await change(
                    deployment,
                    lambda: deployment.insert(table, [document]),
                    failed=text.fail,
                    done=f"Added to {table}",
                ):
                    opened.close()

            text.on("enter", save)
        with foot:
            tag("span", classes="grow")
            button("Cancel", opened.close)
            button("Add", save, look="primary")
    opened.open()
