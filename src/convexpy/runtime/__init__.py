"""What is taken from the operating system: clocks, random bytes and named pause points, replaced in tests; files for keys."""

from convexpy.runtime._clock import Clock as Clock, ManualClock as ManualClock, SystemClock as SystemClock
from convexpy.runtime._pauses import PausePoints as PausePoints, pauses as pauses
from convexpy.runtime._process import (
    give_back_memory as give_back_memory,
    hide_process as hide_process,
    name_thread as name_thread,
    prefer_for_oom as prefer_for_oom,
)
from convexpy.runtime._random import (
    RandomBytes as RandomBytes,
    SecureRandom as SecureRandom,
    secure_random as secure_random,
)
from convexpy.runtime._signals import Signal as Signal
from convexpy.runtime.private_files import (
    PRIVATE_FILE as PRIVATE_FILE,
    PRIVATE_FOLDER as PRIVATE_FOLDER,
    sync_folder as sync_folder,
    write_private as write_private,
)
