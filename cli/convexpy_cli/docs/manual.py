"""The documentation in the terminal: topics are pages, sections of pages, and error codes."""

from __future__ import annotations

import re
from pathlib import Path

from convexpy_cli import errors
from convexpy_cli.docs.shipped import docs_folder

ADDRESS = "https://github.com/convexpy/convexpy/blob/main/docs"
ERRORS_PAGE = "errors"


def topics() -> dict[str, str]:
    """Return every page with its title."""
    return {page.stem: _title(page) for page in sorted(docs_folder().glob("*.md"))}


def _title(page: Path) -> str:
    with page.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), page.stem)


def read(topic: str) -> str:
    """Return what the documentation says of a topic: a page by its name, or an error by its code.

    Raises:
        Failure: there is no such topic (exit 2).
    """
    pages = topics()
    if topic in pages:
        return (docs_folder() / f"{topic}.md").read_text(encoding="utf-8").rstrip("\n")
    codes = error_texts()
    if topic in codes:
        return codes[topic]
    near = errors.nearest(topic, [*pages, *codes])
    hint = f"did you mean {near}?" if near else f"topics: {', '.join(pages)}, and the code of any error"
    raise errors.Failure("TopicNotFound", f"no documentation for {topic!r}", hint=hint)


def error_texts() -> dict[str, str]:
    """Return what the errors page says of each code, by its rows `| code | exit | meaning | what to do |`."""
    text = (docs_folder() / f"{ERRORS_PAGE}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {
        code: f"{code}  (exit {status})\n\n{meaning}\n\nWhat to do: {advice}"
        for code, status, meaning, advice in rows
    }
