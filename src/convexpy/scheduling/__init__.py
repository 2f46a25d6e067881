"""Which jobs run when: the pure part of the scheduler, without clocks, processes or data."""

from convexpy.scheduling._agenda import BATCH, Agenda, Job, Lane

__all__ = ["BATCH", "Agenda", "Job", "Lane"]
