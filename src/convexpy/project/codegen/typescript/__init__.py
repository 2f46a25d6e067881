"""Types for front ends: `api.d.ts`, `dataModel.d.ts`, `server.d.ts` and the script `api.js`, for the npm package `convex`."""

from __future__ import annotations

from convexpy.project.codegen.typescript._api import render_api, render_api_script
from convexpy.project.codegen.typescript._data_model import render_data_model, render_server
from convexpy.protocol.app_description import AppDescription
from convexpy.schema.data_model import DataModel


def render_typescript(app: AppDescription, model: DataModel) -> dict[str, str]:
    """Return the text of every file for TypeScript by its name; `model` is that of the app."""
    return {
        "api.d.ts": render_api(app.functions, model),
        "api.js": render_api_script(),
        "dataModel.d.ts": render_data_model(model, has_schema=app.schema is not None),
        "server.d.ts": render_server(),
    }
