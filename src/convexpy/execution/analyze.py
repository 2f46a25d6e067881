"""Describing an app: what a push, code generation and `functions list` need to know, as plain JSON.

`python -m convexpy.execution.analyze FOLDER` prints the description of the app in FOLDER, or `{"error": …}` and exits
with status 1. It needs neither a server nor the network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from convexpy.errors import Error
from convexpy.execution import capture, debugging, guards
from convexpy.execution.loader import AppLoader, LoadedApp, third_party_modules
from convexpy.execution.packages import use_packages


def describe_app(app: LoadedApp) -> dict[str, Any]:
    """Return functions, schema, HTTP routes, crons and auth providers of an app, as JSON."""
    return {
        "functions": [app.functions[path].describe() for path in sorted(app.functions)],
        "schema": None if app.schema is None else app.schema.describe(),
        "http": [] if app.http is None else app.http.describe(),
        "crons": [] if app.crons is None else app.crons.describe(),
        "auth": [] if app.auth is None else app.auth.describe(),
        "modules": sorted(app.modules),
        "packages": list(third_party_modules("_convexpy_app")),
    }


def analyze(folder: Path, *, label: str, camel: bool = False) -> dict[str, Any]:
    """Import the app in `folder` into this process and describe it.

    Raises:
        ProjectError: it does not import, or defines something that makes no sense.
    """
    capture.install()
    guards.install()
    debugging.install("")
    return describe_app(AppLoader(folder, label=label).load(camel=camel))


def main(arguments: list[str]) -> int:
    """Entry point; the last argument is the folder.

    `--camel` publishes camelCase names; `--label=` is what the developer calls the folder.
    """
    folder = Path(arguments[-1])
    labels = [each.removeprefix("--label=") for each in arguments if each.startswith("--label=")]
    label = labels[0] if labels else folder.name
    output = sys.stdout
    use_packages()
    try:
        result = analyze(folder, label=label, camel="--camel" in arguments)
    except Error as error:
        output.write(json.dumps({"error": error.to_json()}) + "\n")
        return 1
    output.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
