"""HTML elements with text and attributes, and the small parts that every page uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

Action = Callable[[], Awaitable[None] | None]


def tag(name: str, text: str = "", classes: str = "", **attributes: Any) -> TextElement:
    """Return an element; `aria_label=…` becomes `aria-label`, and attributes that are None are left out."""
    element = TextElement(tag=name, text=text)
    if classes:
        element.classes(classes)
    for attribute, value in attributes.items():
        if value is not None:
            element.props[attribute.rstrip("_").replace("_", "-")] = value
    return element


def icon(name: str) -> Element:
    """Return a drawing of `icons.svg`, which readers of the screen skip."""
    with tag("svg", classes="icon", aria_hidden="true") as drawing:
        tag("use", href=f"/assets/icons.svg#{name}")
    return drawing


def button(
    text: str,
    on_click: Action,
    *,
    look: str = "",
    symbol: str | None = None,
    label: str | None = None,
    **attributes: Any,
) -> Element:
    """Return a button; `look` is `primary`, `danger`, `quiet` or empty. One without text needs a `label`."""
    with tag(
        "button", classes=f"button {look}", type="button", aria_label=label, title=label, **attributes
    ) as element:
        if symbol is not None:
            icon(symbol)
        if text:
            tag("span", text)
    element.on("click", lambda _: on_click(), js_handler="() => emit()")
    return element


def enable(element: Element, enabled: bool) -> None:
    """Let a button be pressed, or not."""
    element.props["disabled"] = not enabled


def link(text: str, href: str, classes: str = "link") -> TextElement:
    """Return a link to another page of the dashboard."""
    return tag("a", text, classes, href=href)


def badge(text: str, tone: str = "") -> TextElement:
    """Return a word in a frame; `tone` is `good`, `warn`, `bad` or empty."""
    return tag("span", text, f"badge {tone}")


def note(text: str, tone: str = "") -> TextElement:
    """Return a paragraph that is set off; `tone` as of a badge."""
    return tag("p", text, f"note {tone}")


def empty(title: str, next_step: str, command: str | None = None) -> Element:
    """Return what a page shows when there is nothing: what is missing, and what to do."""
    with tag("div", classes="empty") as element:
        tag("h2", title)
        tag("p", next_step)
        if command is not None:
            tag("code", command)
    return element


def tabs(addresses: dict[str, str], current: str) -> Element:
    """Return links to the parts of a page."""
    with tag("nav", classes="tabs", aria_label="Parts of this page") as element:
        for text, href in addresses.items():
            tag("a", text, href=href, aria_current="page" if text == current else None)
    return element


def facts(pairs: dict[str, str]) -> Element:
    """Return a list of terms and what they are."""
    with tag("dl", classes="facts") as element:
        for name, value in pairs.items():
            with tag("div"):
                tag("dt", name)
                tag("dd", value)
    return element
