"""Several pieces of work at once, in a command that can be interrupted at any moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_at_once(work: Callable[[Item], Result], items: Sequence[Item], limit: int) -> list[Result]:
    """Return `work(item)` of every item, at most `limit` of them at a time; the first exception ends it.

    The main thread only waits, so that Ctrl-C and `--timeout` end the command at once. What is under way then goes on until
    the process is left, which nothing keeps it from: `work` must not read standard input.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Result | None, BaseException | None]] = queue.SimpleQueue()
    for place in range(len(items)):
        waiting.put(place)
    ended = threading.Event()

    def take() -> None:
        while not ended.is_set():
            try:
                place = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((place, work(items[place]), None))
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
                done.put((place, None, error))

    for _ in range(min(limit, len(items))):
        threading.Thread(target=take, daemon=True).start()
    results: dict[int, Result] = {}
    try:
        while len(results) < len(items):
            place, result, error = done.get()
            if error is not None:
                raise error
            results[place] = result  # type: ignore[assignment]
    finally:
        ended.set()
    return [results[place] for place in range(len(items))]
