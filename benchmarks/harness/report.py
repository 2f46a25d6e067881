"""Figures: ratios first, absolute values beside them as this machine's, a goal and whether it was reached."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


def median_of_ratios(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of values that were measured in turn."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


@dataclass
class Ratio:
    """One ratio; `goal` bounds it from below or above."""

    name: str
    value: float
    goal: float | None = None
    better: Literal["more", "less"] = "more"
    unit: str = "x"

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


class Report:
    """Collects what a benchmark found, and prints it."""

    def __init__(self, title: str, options: argparse.Namespace) -> None:
        self.title = title
        self._options = options
        self.ratios: list[Ratio] = []
        self.columns: list[str] = []
        self.rows: list[list[str]] = []
        self.notes: list[str] = []
        self.data: dict[str, Any] = {}

    def ratio(
        self,
        name: str,
        value: float,
        goal: float | None = None,
        better: Literal["more", "less"] = "more",
        unit: str = "x",
    ) -> None:
        """Add a ratio (or, with another unit, a figure that has a goal)."""
        self.ratios.append(Ratio(name, value, goal, better, unit))

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """Set the absolute figures."""
        self.columns, self.rows = columns, rows

    def note(self, text: str) -> None:
        """Add a remark."""
        self.notes.append(text)

    def show(self) -> None:
        """Print everything, as text or as one JSON document."""
        if self._options.json:
            print(json.dumps(self._as_json()))
            return
        print(f"\n{self.title}\n")
        width = max((len(ratio.name) for ratio in self.ratios), default=0)
        for ratio in self.ratios:
            number = f"{ratio.value:,.2f}" if ratio.unit == "x" else f"{ratio.value:,.1f}"
            shown = f"{number}{'' if ratio.unit == 'x' else ' '}{ratio.unit}"
            goal = ""
            if ratio.goal is not None:
                sign = ">=" if ratio.better == "more" else "<="
                goal = f"   goal {sign} {ratio.goal:g}   {'reached' if ratio.reached else 'NOT reached'}"
            print(f"  {ratio.name:<{width}}  {shown:>12}{goal}")
        if self.rows:
            load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
            print(
                f"\n  of this machine only ({os.cpu_count()} cores, Python {platform.python_version()}, load {load}):"
            )
            self._print_table()
        for note in self.notes:
            print(f"  {note}")

    def _print_table(self) -> None:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            print("  " + "   ".join(cells))

    def _as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "ratios": [
                {
                    "name": ratio.name, "value": ratio.value, "unit": ratio.unit, "goal": ratio.goal,
                    "better": ratio.better, "reached": ratio.reached,
                }
                for ratio in self.ratios
            ],
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()},
            "table": {"columns": self.columns, "rows": self.rows},
            "notes": self.notes,
            **self.data,
        }  # fmt: skip


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has; from here on a SIGTERM ends the run tidily."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick", action="store_true", help="a short run, for developing; its figures say little"
    )
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def progress(text: str) -> None:
    """Tell on standard error what is being done."""
    sys.stderr.write(f"… {text}\n")
    sys.stderr.flush()
