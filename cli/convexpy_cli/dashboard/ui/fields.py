"""Fields of forms: a label, an input of the browser's own, a hint or an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.elements.mixins.value_element import ValueElement
from nicegui.events import Handler, ValueChangeEventArguments


class Field(ValueElement[Any], component="field.js"):
    """One field. `kind` is `text`, `password`, `number`, `search`, `area`, `select`, `checkbox`."""

    VALUE_PROP = "value"
    LOOPBACK = False

    def __init__(
        self,
        label: str,
        value: Any = "",
        *,
        kind: str = "text",
        options: Mapping[str, str] | Sequence[str] = (),
        placeholder: str = "",
        hint: str = "",
        mono: bool = False,
        bare: bool = False,
        rows: int = 4,
        on_change: Handler[ValueChangeEventArguments[Any]] | None = None,
    ) -> None:
        super().__init__(value=value, on_value_change=on_change, throttle=0.0)
        for name, given in {
            "label": label,
            "kind": kind,
            "placeholder": placeholder,
            "hint": hint,
            "mono": mono,
            "bare": bare,
            "rows": rows,
        }.items():
            self.props[name] = given
        self.set_options(options)

    def set_options(self, options: Mapping[str, str] | Sequence[str]) -> None:
        """Set what a `select` offers: values and their texts."""
        pairs = options.items() if isinstance(options, Mapping) else [(each, each) for each in options]
        self.props["options"] = [{"value": value, "text": text} for value, text in pairs]

    def fail(self, message: str) -> None:
        """Show an error at the field; an empty one removes it."""
        self.props["error"] = message

    @property
    def text(self) -> str:
        """The value as text."""
        return "" if self.value is None else str(self.value)


def field(label: str, value: Any = "", **options: Any) -> Field:
    """Return a field."""
    return Field(label, value, **options)
