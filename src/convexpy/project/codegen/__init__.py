"""Code generation: the description of an app → the files of `_generated/`. Pure, offline, deterministic."""

from __future__ import annotations

from convexpy.project.codegen._files import (
    GENERATED_FOLDER as GENERATED_FOLDER,
    render_files as render_files,
    render_for as render_for,
    stale_files as stale_files,
    wants_typescript as wants_typescript,
    write_files as write_files,
)
