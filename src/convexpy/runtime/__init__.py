"""What is taken from the operating system and replaced in tests: clocks, random bytes and named pause points."""

from convexpy.runtime._clock import Clock, ManualClock, SystemClock
from convexpy.runtime._pauses import PausePoints, pauses
from convexpy.runtime._random import RandomBytes, SecureRandom, secure_random

__all__ = [
    "Clock",
    "ManualClock",
    "PausePoints",
    "RandomBytes",
    "SecureRandom",
    "SystemClock",
    "pauses",
    "secure_random",
]
