"""Finding the project that a folder belongs to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError
from convexpy.errors.texts import TextUnreadable, read_text
from convexpy.project._config import CONFIG_FILE, Config, read_config


@dataclass(frozen=True)
class Project:
    """A project: its folder and its configuration."""

    root: Path
    config: Config
    warnings: tuple[str, ...] = field(default=())

    @property
    def functions(self) -> Path:
        """The functions folder."""
        return self.root / self.config.functions

    @property
    def requirements(self) -> Path | None:
        """The configured file of the packages that functions need; None: `requirements.txt` in the functions folder."""
        return None if self.config.requirements is None else self.root / self.config.requirements

    @property
    def name(self) -> str:
        """The configured name, else that of the folder."""
        return self.config.name or self.root.name

    @property
    def push_config(self) -> dict[str, Any]:
        """The settings that the server needs for a push."""
        return {"functionCase": self.config.function_case, "label": self.config.functions}

    @property
    def state(self) -> Path:
        """Where this project's local state is: `.convexpy`, unless `CONVEXPY_STATE_DIR` moves it."""
        moved = os.environ.get("CONVEXPY_STATE_DIR")
        return Path(moved) if moved else self.root / ".convexpy"

    def env_files(self) -> list[Path]:
        """The files that may choose a target, most important first."""
        return [self.root / ".env.local", self.root / ".env"]


def find_project(start: Path) -> Project:
    """Return the project around `start`: the nearest parent with a configuration, else with `convex/`.

    Raises:
        ProjectError: `ProjectNotFound` with the folders that were looked at, or `ConfigInvalid`.
    """
    start = start.resolve()
    looked = [start, *start.parents]
    root = next((folder for folder in looked if _configured(folder)), None)
    root = root or next((folder for folder in looked if (folder / "convex").is_dir()), None)
    if root is None:
        raise ProjectError(
            f"no {CONFIG_FILE} and no convex/ folder in {start} or above",
            code="ProjectNotFound",
            hint="convexpy init, or -C DIR",
            data={"looked": [str(folder) for folder in looked]},
        )
    return open_project(root)


def open_project(root: Path) -> Project:
    """Return the project in `root` itself.

    Raises:
        ProjectError: `ConfigInvalid`.
    """
    config = read_config(root)
    warnings = list(config.warnings)
    official = root / "convex.json"
    if config.file is None and official.is_file():
        folder = _functions_of_official(official)
        if folder is not None:
            config = Config(functions=folder)
            warnings.append(f"no {CONFIG_FILE}: the functions folder {folder!r} is taken from convex.json")
    return Project(root, config, tuple(warnings))


def _configured(folder: Path) -> bool:
    if (folder / CONFIG_FILE).is_file():
        return True
    pyproject = folder / "pyproject.toml"
    return pyproject.is_file() and "[tool.convexpy" in pyproject.read_text(encoding="utf-8", errors="replace")


def _functions_of_official(file: Path) -> str | None:
    try:
        folder = json.loads(read_text(file)).get("functions")
    except (ValueError, AttributeError, TextUnreadable):
        return None
    return str(folder).rstrip("/") if isinstance(folder, str) else None
