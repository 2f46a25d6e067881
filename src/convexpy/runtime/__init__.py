"""What is taken from the operating system and replaced in tests: clocks and named pause points."""

from convexpy.runtime._clock import Clock, ManualClock, SystemClock
from convexpy.runtime._pauses import PausePoints, pauses

__all__ = ["Clock", "ManualClock", "PausePoints", "SystemClock", "pauses"]
