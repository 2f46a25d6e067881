"""Where clients of the protocol look for servers, and the entry that they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from convexpy.errors.texts import read_text
from convexpy_cli import errors

FILES = {
    "claude": (".mcp.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "vscode": (".vscode/mcp.json", "servers"),
}


def entry(client: str) -> dict[str, Any]:
    """Return the configuration for a client."""
    key = FILES[client][1]
    return {key: {"convexpy": {"command": "convexpy", "args": ["mcp"]}}}


def written(client: str, root: Path) -> Path:
    """Add the entry to the client's file in the project, leaving everything else as it is; return the file.

    Raises:
        Failure: the file is not a JSON object (exit 3).
    """
    name, key = FILES[client]
    file = root / name
    try:
        document = json.loads(read_text(file)) if file.is_file() else {}
        document.setdefault(key, {}).update(entry(client)[key])
    except (ValueError, AttributeError) as error:
        raise errors.Failure("ConfigInvalid", f"{name} is not a JSON object: {error}") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return file
