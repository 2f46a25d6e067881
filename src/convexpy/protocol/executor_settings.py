"""What an executor is told when it starts."""

from __future__ import annotations

import msgspec

from convexpy.limits import Knobs

PACKAGES_VARIABLE = "CONVEXPY_PACKAGES"
"""Set by the server: a folder, or empty when the app names no packages. Unset where the app's environment is the server's."""
IMPORT_HINT = "do the work in a function: modules only define functions, schema, routes and jobs"


class ExecutorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where an executor finds its app and its data, and how it may behave.

    `folder` holds the materialised modules of `version`; `label` is the developer's name of that folder. `data_address` is
    where `persistence.open_reader` finds the checkpoint, `data_folder` holds what is beside the database. `cloud_url` and
    `site_url` are the public origins. `upload_key` signs upload addresses (of the deployment `name`), `cursor_key` encrypts
    cursors. Actions put the content of files to store into `spool`. `debugger` is where `breakpoint()` finds a terminal, `""`
    where there is none; `editor` where an editor has attached to debug every executor.
    `staged_indexes` are `table.index`, staged whatever the schema says.
    """

    version: int
    folder: str
    label: str = "convex"
    camel: bool = False
    code_cache: str | None = None
    data_address: str
    data_folder: str = ""
    cloud_url: str = ""
    site_url: str = ""
    upload_key: bytes = b""
    cursor_key: bytes = b""
    name: str = ""
    spool: str = ""
    debugger: str = ""
    editor: str = ""
    staged_indexes: tuple[str, ...] = ()
    knobs: Knobs = Knobs()


def import_too_slow_text(seconds: float) -> str:
    """Return the text of an import that takes too long."""
    return f"importing the app exceeded the limit import_s: {seconds:g} s"
