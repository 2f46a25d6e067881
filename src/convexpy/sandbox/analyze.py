"""Describing an app: what a push, code generation and `functions list` need to know, as plain JSON.

`python -m convexpy.sandbox.analyze FOLDER` prints the description of the app in FOLDER, or `{"error": …}` and exits
with status 1. It needs neither a server nor the network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from convexpy.errors import Error, ProjectError, sendable
from convexpy.protocol import stack_dumps
from convexpy.protocol.app_description import AppDescription
from convexpy.sandbox import capture, debugging, guards
from convexpy.sandbox.loader import AppLoader, LoadedApp, third_party_modules
from convexpy.sandbox.packages import use_packages


def describe_app(app: LoadedApp) -> AppDescription:
    """Return functions, schema, HTTP routes, crons and auth providers of an app."""
    described = AppDescription(
        functions=tuple(app.functions[path].describe() for path in sorted(app.functions)),
        schema=None if app.schema is None else app.schema.describe(),
        http=() if app.http is None else app.http.describe(),
        cors=() if app.http is None else tuple(app.http.cors_rules),
        crons=() if app.crons is None else app.crons.describe(),
        auth=() if app.auth is None else app.auth.describe(),
        modules=tuple(sorted(app.modules)),
        packages=tuple(third_party_modules()),
    )
    try:
        msgspec.msgpack.encode(described)
    except UnicodeEncodeError:
        _require_unicode(msgspec.to_builtins(described), ())
        raise
    return described


def _require_unicode(value: Any, path: tuple[str, ...]) -> None:
    """Refuse a name or text that cannot be sent.

    Raises:
        ProjectError: one holds half of a surrogate pair; says which.
    """
    if isinstance(value, str):
        if sendable(value) != value:
            raise ProjectError(
                f"{sendable('.'.join(path))} is not valid Unicode: {sendable(value)!r}",
                code="NotUnicode",
                hint="write the characters themselves, not halves of surrogate pairs",
            )
    elif isinstance(value, dict):
        for key, each in value.items():
            _require_unicode(str(key), (*path, "key"))
            _require_unicode(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            _require_unicode(each, (*path, str(number)))


def analyze(
    folder: Path, *, label: str, camel: bool = False, seconds: float = 0.0, memory_bytes: int = 0
) -> AppDescription:
    """Import the app in `folder` into this process and describe it.

    Raises:
        ProjectError: it does not import, or defines something that makes no sense.
    """
    capture.install()
    guards.install()
    debugging.install("")
    loader = AppLoader(folder, label=label)
    return describe_app(loader.load(camel=camel, seconds=seconds, memory_bytes=memory_bytes))


def main(arguments: list[str]) -> int:
    """Entry point; the last argument is the folder.

    `--camel` publishes camelCase names; `--label=` is what the developer calls the folder; `--seconds=` and `--memory=` (bytes)
    limit the import; `--stacks=` is a descriptor to write to where a failed import stands.
    """
    folder = Path(arguments[-1])
    options = dict(each.split("=", 1) for each in arguments[:-1] if "=" in each)
    label = options.get("--label", folder.name)
    if "--stacks" in options:
        stack_dumps.install(int(options["--stacks"]))
        stack_dumps.note_own_end()
    output = sys.stdout
    use_packages()
    try:
        result = analyze(
            folder,
            label=label,
            camel="--camel" in arguments,
            seconds=float(options.get("--seconds", 0)),
            memory_bytes=int(options.get("--memory", 0)),
        )
    except Error as error:
        output.write(json.dumps({"error": error.to_json()}) + "\n")
        return 1
    output.write(msgspec.json.encode(result).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
