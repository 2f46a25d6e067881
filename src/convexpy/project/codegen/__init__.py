"""Code generation: the description of an app → the files of `_generated/`. Pure, offline, deterministic."""

from __future__ import annotations

from convexpy.project.codegen._files import (
    GENERATED_FOLDER,
    render_files,
    render_for,
    stale_files,
    wants_typescript,
    write_files,
)

__all__ = [
    "GENERATED_FOLDER",
    "render_files",
    "render_for",
    "stale_files",
    "wants_typescript",
    "write_files",
]
