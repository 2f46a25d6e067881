"""Validators as Python's type annotations, for people: `str`, `int | None`, `list[TasksDoc]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convexpy.schema.data_model import Annotations, Described


class _WrittenOut:
    """Objects of `data_model.py` have their names, all others are written out where they stand."""

    annotations: Annotations

    def name_of(self, described: Described, place: str) -> str:
        if str(described.get("module", "")).endswith("_generated.data_model"):
            return str(described["name"])
        fields = (f'"{name}": {text}' for name, text in _fields(self.annotations, described))
        return f"{{{', '.join(fields)}}}"

    def collapse(self, names: list[str]) -> list[str]:
        return names


class PythonTypes:
    """Writes the annotations of an app with these tables."""

    def __init__(self, tables: Iterable[str]) -> None:
        objects = _WrittenOut()
        self._annotations = objects.annotations = Annotations(list(tables), objects)

    def of(self, validator: Mapping[str, Any] | None) -> str:
        """Return the annotation of a validator: `Any` for none."""
        return "Any" if validator is None else self._annotations.of(validator, "")

    def fields(self, validator: Mapping[str, Any]) -> list[str]:
        """Return a line for each field of an object: `name: NotRequired[str]`; one line for anything else."""
        if validator["type"] != "object":
            return [self.of(validator)]
        return [f"{name}: {text}" for name, text in _fields(self._annotations, validator)]

    def parameters(self, validator: Mapping[str, Any]) -> str:
        """Return the parameters of a function: `text: str, done: bool = ...`."""
        if validator["type"] != "object":
            return "**args: Any"
        return ", ".join(
            f"{name}: {self.of(each['fieldType'])}{' = ...' if each.get('optional') else ''}"
            for name, each in validator["value"].items()
        )


def _fields(annotations: Annotations, described: Described) -> Iterable[tuple[str, str]]:
    for name, each in described["value"].items():
        text = annotations.of(each["fieldType"], "")
        yield name, f"NotRequired[{text}]" if each.get("optional") else text
