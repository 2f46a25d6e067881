"""Build hook: copies scaffolds/ and docs/ into built wheels only; an editable install reads them from the checkout."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

IGNORED = {"__pycache__", "node_modules", "dist", ".convexpy", ".env.local", ".venv"}


class ShippedFilesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds every file of scaffolds/ and docs/ to the wheel, below `convexpy_cli/_scaffolds/` and `_docs/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; `version` is "standard" for a wheel and "editable" for `pip install -e`."""
        if version != "standard":
            return
        for name in ("scaffolds", "docs"):
            root = Path(self.root) / name
            for path in sorted(root.rglob("*")):
                relative = path.relative_to(root)
                if path.is_file() and IGNORED.isdisjoint(relative.parts):
                    build_data["force_include"][str(path)] = f"convexpy_cli/_{name}/{relative.as_posix()}"
