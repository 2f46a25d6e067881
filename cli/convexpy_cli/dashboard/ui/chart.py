"""Charts of values over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui.element import Element


@dataclass(frozen=True)
class Series:
    """Values with a name; `tone` is `accent`, `good`, `warn`, `bad` or `muted`."""

    name: str
    tone: str
    values: Sequence[float]


class Chart(Element, component="chart.js"):
    """A chart of one or several series, as lines or as `bars`; `unit` is `ms`, `%` or empty."""

    def __init__(self, title: str, *, unit: str = "", bars: bool = False) -> None:
        super().__init__()
        self.props["title"], self.props["unit"], self.props["bars"] = title, unit, bars

    def show(
        self, times: Sequence[float], series: Sequence[Series], *, span: tuple[float, float], step: float
    ) -> None:
        """Set the values at `times`, in milliseconds as `span` and `step`, the distance from one to the next."""
        shown = [{"name": each.name, "tone": each.tone, "values": list(each.values)} for each in series]
        self.props["times"], self.props["series"] = list(times), shown
        self.props["from"], self.props["until"], self.props["step"] = *span, step
