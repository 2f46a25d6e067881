"""Environment variables: their values are hidden until one is asked for."""

from __future__ import annotations

from nicegui.element import Element

from convexpy.errors import Error
from convexpy.protocol.admin_api import VariableInfo
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.ui.dialogs import ask, change, described as in_words, dialog, told
from convexpy_cli.dashboard.ui.elements import button, empty, note, tag
from convexpy_cli.dashboard.ui.fields import Field
from convexpy_cli.dashboard.ui.grid import Cell, Column, Grid, Row
from convexpy_cli.dashboard.ui.live import Following, every
from convexpy_cli.output.units import local_time

EVERY_S = 3.0
COLUMNS = (
    Column("name", "Name", "mono"),
    Column("value", "Value", "mono"),
    Column("updated", "Changed", "number wide"),
)
HIDDEN = "••••••••"


class VariableView:
    """The variables by name."""

    def __init__(self, deployment: Deployment, actions: Element) -> None:
        self._deployment = deployment
        self._shown: dict[str, str] = {}
        self._known: list[VariableInfo] = []
        self._writes = deployment.allows("env:write")
        if self._writes:
            with actions:
                button("Add variable", lambda: self._edit(""), look="primary", symbol="plus")
        if not deployment.allows("env:view"):
            note("The key does not allow to see values; they can be set and removed.")
        self._error = note("", "bad")
        self._error.set_visibility(False)
        self._grid = Grid("Environment variables", COLUMNS, on_action=self._act)
        self._empty = tag("div")
        self._following = Following(lambda: every(EVERY_S, deployment.variables), self._show, self._failed)

    def _show(self, variables: list[VariableInfo]) -> None:
        changed = {each.name for each in variables} - {each.name for each in self._known if each in variables}
        self._shown = {name: value for name, value in self._shown.items() if name not in changed}
        self._known = variables
        self._error.set_visibility(False)
        self._draw()

    def _draw(self) -> None:
        self._grid.show([self._row(each) for each in self._known])
        self._grid.set_visibility(bool(self._known))
        self._empty.clear()
        if not self._known:
            with self._empty:
                empty(
                    "No variables yet",
                    "Functions read them with os.environ or env.",
                    "convexpy env set NAME VALUE",
                )

    def _row(self, variable: VariableInfo) -> Row:
        name, shown = variable.name, variable.name in self._shown
        actions = [("Hide" if shown else "Show")] if self._deployment.allows("env:view") else []
        actions += ["Edit", "Remove"] if self._writes else []
        value = (
            Cell(self._shown[name])
            if shown
            else Cell(HIDDEN, tone="null", title=f"{variable.length} characters")
        )
        return Row(name, [name, value, local_time(variable.updated_at)], actions=actions)

    def _failed(self, error: Error) -> None:
        self._error.text = in_words(error)
        self._error.set_visibility(True)

    async def _act(self, name: str, action: str) -> None:
        if action == "Hide":
            self._shown.pop(name, None)
            self._draw()
        elif action == "Show":
            await self._reveal(name)
        elif action == "Edit":
            self._edit(name)
        else:
            await self._remove(name)

    async def _reveal(self, name: str) -> None:
        try:
            self._shown[name] = await self._deployment.variable(name)
        except Error as error:
            told(in_words(error), bad=True)
        self._draw()

    async def _remove(self, name: str) -> None:
        deployment = self._deployment.identified.name
        if await ask(
            f"Remove {name}?",
            f"Functions of {deployment} that read it will not find it.",
            "Remove",
            danger=True,
        ):
            await self._set({name: None}, f"{name} is removed")

    async def _set(self, changes: dict[str, str | None], done: str) -> bool:
        changed = await change(self._deployment, lambda: self._deployment.set_variables(changes), done=done)
        self._following.restart()
        return changed is not None

    def _edit(self, name: str) -> None:
        with dialog(f"Change {name}" if name else "Add a variable") as opened:
            named = Field("Name", name, mono=True) if not name else None
            value = Field("Value", kind="area", mono=True, hint="Replaces what is there." if name else "")

            async def save() -> None:
                wanted = name or (named.text.strip() if named is not None else "")
                if not wanted and named is not None:
                    named.fail("A variable has a name, such as API_KEY.")
                elif await self._set({wanted: value.text}, f"{wanted} is set"):
                    opened.close()

            value.on("enter", save)
            with tag("div", classes="ends"):
                button("Cancel", opened.close)
                button("Save", save, look="primary")
        opened.open()
