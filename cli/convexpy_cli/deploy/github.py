"""What GitHub Actions shows beside the log: errors at their lines, and the plan as the summary of the job."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convexpy_cli.output import masking


def annotate(error: Mapping[str, Any]) -> None:
    """Write an error as a workflow command, if this is a job of GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    place = error.get("location") or {}
    names = (("file", "file"), ("line", "line"), ("col", "column"))
    parts = [f"{name}={place[key]}" for name, key in names if place.get(key) is not None]
    text = masking.mask(f"[{error['code']}] {error['message']}")
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stderr.write(f"::error {','.join(parts)}::{text}\n" if parts else f"::error::{text}\n")
    sys.stderr.flush()


def summarize(title: str, changes: Sequence[Mapping[str, Any]], outcome: str) -> None:
    """Append the plan to the summary of the job, if there is one."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    rows: list[str] = []
    for change in changes:
        detail = change["detail"].replace("|", "\\|")
        rows.append(f"| {change['area']} | {change['kind']} | `{change['name']}` | {detail} |")
    head = ["| area | change | name | detail |", "| --- | --- | --- | --- |"]
    table = [*head, *rows] if rows else ["Nothing changes."]
    text = "\n".join([f"### {title}", "", *table, "", outcome, ""])
    with Path(file).open("a", encoding="utf-8") as summary:
        summary.write(masking.mask(text) + "\n")
