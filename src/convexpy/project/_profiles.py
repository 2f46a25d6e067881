"""Named deployments: added, renamed and removed in the project's configuration or in the user's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError
from convexpy.project._config import CONFIG_FILE
from convexpy.project._credentials import user_folder
from convexpy.project._locate import Project
from convexpy.project._target import LOCAL
from convexpy.project._toml_edit import (
    Table,
    TomlFile,
    add_table,
    remove_table,
    rename_table,
    set_value,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
RESERVED = (LOCAL, "preview")


class Profiles:
    """`[deployments.*]` of one file. Edits change the lines concerned and no other byte."""

    def __init__(self, file: Path, prefix: Table = ()) -> None:
        self.file = file
        self._prefix = prefix

    @classmethod
    def of_project(cls, project: Project) -> Profiles:
        """Return those of a project; its configuration is made when the first is added."""
        file = project.config.file
        if file is not None and file.name == "pyproject.toml":
            return cls(file, ("tool", "convexpy"))
        return cls(file or project.root / CONFIG_FILE)

    @classmethod
    def of_user(cls, folder: Path | None = None) -> Profiles:
        """Return the user's own, which all projects see."""
        return cls((folder or user_folder()) / "config.toml")

    def names(self) -> list[str]:
        """Return the names in this file."""
        return list(self._section(TomlFile(self.file).parsed()).get("deployments", {}))

    def add(
        self,
        name: str,
        url: str,
        *,
        site_url: str | None = None,
        production: bool = False,
        protected: bool = False,
    ) -> None:
        """Add a deployment.

        Raises:
            ProjectError: the name is taken, or cannot be one.
        """
        check_name(name)
        values: dict[str, Any] = {"url": url}
        if site_url:
            values["site-url"] = site_url
        values |= {
            key: True for key, wanted in (("production", production), ("protected", protected)) if wanted
        }
        if name in self.names():
            raise ProjectError(
                f'there is a deployment called "{name}" in {self.file.name} already',
                code="ConfigInvalid",
                hint=f"convexpy deployment remove {name}, or another name",
            )

        def meant(section: dict[str, Any]) -> None:
            section.setdefault("deployments", {})[name] = values

        self._edit(lambda text: add_table(text, self._table(name), values), meant)

    def remove(self, name: str) -> None:
        """Remove a deployment; it must be there."""

        def meant(section: dict[str, Any]) -> None:
            del section["deployments"][name]
            if not section["deployments"]:
                del section["deployments"]

        self._edit(lambda text: remove_table(text, self._table(name)), meant)

    def rename(self, name: str, new: str) -> None:
        """Give a deployment another name, also where it is the default."""
        check_name(new)
        if new in self.names():
            raise ProjectError(f'there is a deployment called "{new}" already', code="ConfigInvalid")
        section = self._section(TomlFile(self.file).parsed())
        is_default = section.get("deployment", {}).get("default") == name

        def edit(text: str) -> str:
            text = rename_table(text, self._table(name), self._table(new))
            return set_value(text, (*self._prefix, "deployment"), "default", new) if is_default else text

        def meant(section: dict[str, Any]) -> None:
            section["deployments"][new] = section["deployments"].pop(name)
            if is_default:
                section["deployment"]["default"] = new

        self._edit(edit, meant)

    def _table(self, name: str) -> Table:
        return (*self._prefix, "deployments", name)

    def _section(self, document: dict[str, Any]) -> dict[str, Any]:
        for part in self._prefix:
            document = document.setdefault(part, {})
        return document

    def _edit(self, edit: Callable[[str], str], meant: Callable[[dict[str, Any]], None]) -> None:
        file = TomlFile(self.file)
        document = file.parsed()
        meant(self._section(document))
        file.edit(edit, document)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a deployment.

    Raises:
        ProjectError: letters, digits, `-` and `_` only, and not a word with a meaning of its own.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ProjectError(
            f"{name!r} cannot be the name of a deployment",
            code="UsageError",
            hint="letters, digits, - and _; not local or preview",
        )
