"""Which jobs run when: the pure part of the scheduler, without clocks, processes or data."""

from convexpy.scheduling._agenda import Agenda, Fetch, Job, Lane

__all__ = ["Agenda", "Fetch", "Job", "Lane"]
