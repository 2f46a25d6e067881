"""`convexpy docs`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy docs", "convexpy docs deploying", "convexpy docs SchemaMismatch"),
)
def docs(
    run: Invocation,
    topic: Annotated[str | None, Argument(metavar="TOPIC", help="a page, or the code of an error")] = None,
    no_open: Annotated[bool, Option("--no-open", help="accepted; nothing is opened")] = False,
) -> None:
    """Read the documentation that comes with this version, offline.

    Without a topic: the pages there are. Exit codes: 0 done, 2 no such topic.
    """
    from convexpy_cli.docs import manual

    if topic is not None:
        text = manual.read(topic)
        run.output.result({"topic": topic, "text": text}, text)
        return
    pages = manual.topics()
    rows = [[name, title] for name, title in pages.items()]
    run.output.table(["topic", "title"], rows, [{"topic": name, "title": pages[name]} for name in pages])
