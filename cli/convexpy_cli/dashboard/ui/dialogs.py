"""Dialogs: questions, the confirmation of changes to production, and a panel at the side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from nicegui import context, ui
from nicegui.element import Element

from convexpy.errors import Error
from convexpy_cli.dashboard.deployment import Deployment
from convexpy_cli.dashboard.ui.elements import button, tag
from convexpy_cli.dashboard.ui.fields import Field

R = TypeVar("R")


def described(error: Exception) -> str:
    """Return what went wrong, and what to do about it."""
    if not isinstance(error, Error):
        return f"{type(error).__name__}: {error}"
    return error.message if error.hint is None else f"{error.message} ({error.hint})"


def told(text: str, *, bad: bool = False) -> None:
    """Say something in a corner for a while."""
    ui.notify(
        text, position="bottom-right", color="negative" if bad else "dark", classes="told", multi_line=True
    )


@contextmanager
def dialog(title: str) -> Generator[ui.dialog]:
    """Make a dialog with a title; what is made inside is its content. It is removed when it is closed."""
    with context.client, ui.dialog() as opened:
        opened.props["aria-label"] = title
        opened.on("hide", opened.delete)
        with tag("div", classes="dialog"):
            tag("h2", title)
            yield opened


@contextmanager
def panel(title: str, *, subtitle: str = "") -> Generator[tuple[ui.dialog, Element, Element]]:
    """Make a panel at the right side; gives it, its content and its foot."""
    with context.client, ui.dialog() as opened:
        opened.props("position=right maximized")
        opened.props["aria-label"] = title
        opened.on("hide", opened.delete)
        with tag("div", classes="dialog panel"):
            with tag("header"):
                with tag("div"):
                    tag("h2", title)
                    if subtitle:
                        tag("div", subtitle, "mono muted")
                button("", opened.close, look="quiet", symbol="close", label="Close")
            inside = tag("div", classes="inside")
            foot = tag("footer")
        yield opened, inside, foot


async def ask(title: str, text: str, yes: str, *, danger: bool = False) -> bool:
    """Ask a question; the answer is no if the dialog is closed."""
    with dialog(title) as opened:
        tag("p", text)
        with tag("div", classes="ends"):
            button("Cancel", lambda: opened.submit(False))
            button(yes, lambda: opened.submit(True), look="primary danger" if danger else "primary")
    return bool(await opened)


async def confirmed(deployment: Deployment) -> bool:
    """Have a person type the name of a production or protected deployment, once."""
    if deployment.confirmed:
        return True
    name = deployment.identified.name
    with dialog("Change this deployment?") as opened:
        tag("p", f"“{name}” is a {deployment.identified.kind} deployment ({deployment.identified.url}).")
        typed = Field(f"Type {name} to allow changes until the dashboard is closed", mono=True)

        def submit() -> None:
            if typed.text.strip() == name:
                opened.submit(True)
            else:
                typed.fail(f"This is not {name}.")

        typed.on("enter", submit)
        with tag("div", classes="ends"):
            button("Cancel", lambda: opened.submit(False))
            button("Allow changes", submit, look="primary danger")
    deployment.confirmed = bool(await opened)
    return deployment.confirmed


async def change(
    deployment: Deployment,
    work: Callable[[], Awaitable[R]],
    *,
    failed: Callable[[str], None] | None = None,
    done: str = "",
) -> tuple[R] | None:
    """Do something that changes the deployment, after it was agreed to; return the result in a tuple.

    None: nobody agreed, or it failed, which `failed` is told (by default the person).
    """
    if not await confirmed(deployment):
        return None
    try:
        result = await work()
    except Error as error:
        (failed or _tell)(described(error))
        return None
    if done:
        told(done)
    return (result,)


def _tell(text: str) -> None:
    told(text, bad=True)
