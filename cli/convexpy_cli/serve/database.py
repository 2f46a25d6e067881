"""`convexpy database`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

from convexpy.printable import counted
from convexpy_cli import errors
from convexpy_cli.command import Group, command, family, option
from convexpy_cli.context import Context
from convexpy_cli.serve import DATABASE, data_tool

app = family("Move a deployment's data to a database server, and back.")
app.callback(cls=Group)(lambda: None)  # a family, though it has one command yet
SCHEMES = ("postgresql://", "postgres://")
OTHER = "name a data folder, and a database as postgresql://… or in CONVEXPY_DATABASE_URL"


@command(
    app,
    "copy",
    examples=(
        "convexpy database copy --from /var/lib/convexpy/data",
        "convexpy database copy --from ./data --to postgresql://app@db.example.com/app",
        "convexpy database copy --from postgresql://app@db.example.com/app --to ./data",
    ),
)
def copy(
    ctx: Context,
    source: Annotated[str | None, option("--from PLACE", "Data folder, or URL of a database.")] = None,
    target: Annotated[str | None, option("--to PLACE", "URL of a database, or data folder.")] = None,
    schema: Annotated[
        str | None, option("--database-schema NAME", "Schema of the database [default: convexpy].")
    ] = None,
) -> None:
    """Copy the data of a stopped deployment to PostgreSQL, or back.

    The copy is read back and compared; it is complete or not there. The data folder keeps its keys and files. The database
    may also be named by CONVEXPY_DATABASE_URL. See `convexpy docs scaling`.
    """
    from convexpy_cli.output.progress import progress

    url = next((place for place in (source, target) if place is not None and place.startswith(SCHEMES)), None)
    if url is not None:
        _become(url)
    folders = [place for place in (source, target) if place is not None]
    if len(folders) != 1 or "://" in folders[0]:
        raise errors.usage("--from and --to must name a data folder and a database", OTHER)
    if not os.environ.get(DATABASE):
        raise errors.usage("no database is named", OTHER)
    env = {} if schema is None else {"CONVEXPY_SERVE_DATABASE_SCHEMA": schema}
    with progress(ctx.output, ctx.settings) as shown:

        def show(what: str, count: int) -> None:
            shown.show("copying" if "compared" not in what else "comparing", count, None, f"{count:,} {what}")

        work = "copy-out" if source is not None else "copy-in"
        done: dict[str, Any] = data_tool.run(work, Path(folders[0]).absolute(), show, env=env)
    documents, tables = counted(done["documents"], "document"), counted(done["tables"], "table")
    ctx.output.result(done, f"{documents} of {tables}, now in {done['place']}")


def _become(url: str) -> None:
    """Run again with the database's address in the environment: other users see command lines."""
    arguments: list[str] = []
    for argument in sys.argv[1:]:
        if argument == url:
            arguments.pop()
        elif not argument.endswith(f"={url}"):
            arguments.append(argument)
    command = [sys.executable, "-P", "-m", "convexpy_cli", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, {**os.environ, DATABASE: url})
