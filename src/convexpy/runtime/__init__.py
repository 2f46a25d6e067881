"""What is taken from the operating system: clocks, random bytes and named pause points, replaced in tests; files for keys."""

from convexpy.runtime._clock import Clock, ManualClock, SystemClock
from convexpy.runtime._pauses import PausePoints, pauses
from convexpy.runtime._process import hide_process, prefer_for_oom
from convexpy.runtime._random import RandomBytes, SecureRandom, secure_random
from convexpy.runtime._signals import Signal
from convexpy.runtime.private_files import PRIVATE_FILE, PRIVATE_FOLDER, sync_folder, write_private

__all__ = [
    "PRIVATE_FILE",
    "PRIVATE_FOLDER",
    "Clock",
    "ManualClock",
    "PausePoints",
    "RandomBytes",
    "SecureRandom",
    "Signal",
    "SystemClock",
    "hide_process",
    "pauses",
    "prefer_for_oom",
    "secure_random",
    "sync_folder",
    "write_private",
]
