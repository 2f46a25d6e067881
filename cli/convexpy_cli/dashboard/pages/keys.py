"""Admin keys: which there are, making one, which is shown once, and revoking."""

from __future__ import annotations

import time

from nicegui.element import Element

from convexpy.errors import Error
from convexpy.protocol.admin_api import KeyInfo, NewKey
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.ui.dialogs import ask, change, described as in_words, dialog
from convexpy_cli.dashboard.ui.elements import button, empty, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every
from convexpy_cli.output.units import local_time

EVERY_S = 3.0
DAY_MS = 86_400_000
KINDS = {
    "read-only": "read-only: reads data, logs and functions",
    "deploy": "deploy: pushes, sets variables, runs functions",
    "run": "run: calls some functions",
    "admin": "admin: everything",
}
EXPIRES = {"": "Never", "1": "In a day", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
COLUMNS = (
    Column("name", "Name"),
    Column("kind", "Kind"),
    Column("prefix", "Begins with", "mono wide"),
    Column("created", "Created", "number wide"),
    Column("used", "Last used", "number"),
    Column("expires", "Expires", "number wide"),
)


class KeyView:
    """The keys by name."""

    def __init__(self, deployment: Deployment, actions: Element) -> None:
        self._deployment = deployment
        with actions:
            button("Create key", self._create, look="primary", symbol="plus")
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._grid = Grid("Admin keys", COLUMNS, on_action=self._revoke)
        self._empty = tag("div")
        self._names: dict[str, str] = {}
        self._following = Following(lambda: every(EVERY_S, deployment.keys), self._show, self._failed)

    def _show(self, keys: list[KeyInfo]) -> None:
        self._error.set_visibility(False)
        self._names = {each.prefix: each.name for each in keys}
        self._grid.show([key_row(each) for each in keys])
        self._grid.set_visibility(bool(keys))
        self._empty.clear()
        if not keys:
            with self._empty:
                empty(
                    "No keys with a record",
                    "Create one for each person and machine, so that each can be revoked alone.",
                )

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    async def _revoke(self, prefix: str, _action: str) -> None:
        name, deployment = self._names[prefix], self._deployment.identified.name
        text = (
            f"Whoever uses “{name}” is locked out of {deployment} at once, this dashboard too if it uses it."
        )
        if await ask(f"Revoke {name}?", text, "Revoke", danger=True):
            await change(
                self._deployment, lambda: self._deployment.revoke_key(prefix), done=f"{name} is revoked"
            )
            self._following.restart()

    def _create(self) -> None:
        with dialog("Create an admin key") as opened:
            name = Field("Name", placeholder="laptop of Ada", hint="Says whose key it is.")
            kind = Field("Kind", "read-only", kind="select", options=KINDS)
            functions = Field("Functions, for the kind run", mono=True, placeholder="reports:* messages:send")
            expires = Field("Expires", "90", kind="select", options=EXPIRES)

            async def save() -> None:
                if not name.text.strip():
                    name.fail("A key has a name, such as the machine that it is for.")
                    return
                at = time.time() * 1000 + int(expires.text) * DAY_MS if expires.text else None
                globs = functions.text.split()
                made = await change(
                    self._deployment,
                    lambda: self._deployment.create_key(name.text.strip(), kind.text, globs, at),
                    failed=name.fail,
                )
                if made is not None:
                    opened.close()
                    show_once(made[0])
                    self._following.restart()

            with tag("div", classes="ends"):
                button("Cancel", opened.close)
                button("Create", save, look="primary")
        opened.open()


def show_once(key: NewKey) -> None:
    """Show a new key."""
    with dialog(f"The key {key.name}") as opened:
        opened.props("persistent")
        tag("p", "Copy it now: it is shown this once, and only its digest is kept.")
        with tag("div", classes="secret"):
            tag("code", key.key, id="new-key")
            copy = button("Copy", lambda: None)
            copy.on(
                "click",
                js_handler="() => navigator.clipboard.writeText(document.querySelector('#new-key').textContent)",
            )
        with tag("div", classes="ends"):
            button("Done", opened.close, look="primary")
    opened.open()


def key_row(key: KeyInfo) -> Row:
    """Return the row of a key."""
    cells = [
        Cell(key.name),
        Cell(
            key.kind,
            tone="badge warn" if key.kind == "admin" else "badge",
            title=" ".join(key.functions) or None,
        ),
        Cell(key.prefix),
        Cell(local_time(key.created_at)),
        Cell(local_time(key.last_used_at)),
        Cell("never" if key.expires_at is None else local_time(key.expires_at)),
    ]
    return Row(key.prefix, cells, actions=("Revoke",))
