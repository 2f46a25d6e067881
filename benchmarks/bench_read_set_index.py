"""Does finding the queries that a commit touches grow with the matches, not with the subscriptions?

Run: python benchmarks/bench_read_set_index.py [sizes…]. Prints microseconds per written key for point
reads, equality prefixes, prefixes cut at a last key (what `take(n)` leaves), and true ranges, each with one
match, and the ratio to the smallest size.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from harness.report import parser

from convexpy.database.read_set_index import ReadSetIndex
from convexpy.values import encode_key, prefix_successor

Ranges = list[list[int | bytes | None]]


def point(number: int) -> Ranges:
    id = f"j5{number:030d}".encode()
    return [[-10001, id, id + b"\0"]]


def prefix(number: int) -> Ranges:
    lower = encode_key([f"session{number}"])
    return [[10002, lower, prefix_successor(lower)]]


def first_page(number: int) -> Ranges:
    lower = encode_key([f"session{number}"])
    return [[10002, lower, lower + encode_key([1718000000000.5, "j5" + "0" * 30]) + b"\0"]]


def true_range(number: int) -> Ranges:
    return [[10003, encode_key([number * 10]), encode_key([number * 10 + 9])]]


def point_key(number: int) -> tuple[int, bytes]:
    return -10001, f"j5{number:030d}".encode()


def prefix_key(number: int) -> tuple[int, bytes]:
    return 10002, encode_key([f"session{number}", 1718000000000.25, "j5" + "0" * 30])


def range_key(number: int) -> tuple[int, bytes]:
    return 10003, encode_key([number * 10 + 5, 1718000000000.25, "j5" + "0" * 30])


CASES: list[tuple[str, Callable[[int], Ranges], Callable[[int], tuple[int, bytes]]]] = [
    ("point", point, point_key),
    ("prefix", prefix, prefix_key),
    ("first page", first_page, prefix_key),
    ("true range", true_range, range_key),
]


def measure(size: int, ranges: Callable[[int], Ranges], key: Callable[[int], tuple[int, bytes]]) -> float:
    """Return microseconds per key with `size` subscriptions."""
    index = ReadSetIndex()
    for number in random.Random(1).sample(range(size), size):
        index.put(number, ranges(number))
    wanted = [key(number) for number in random.Random(2).choices(range(size), k=2000)]
    for one in wanted[:5]:
        assert len(index.touched([one])) == 1, one
    best = 1e9
    for _ in range(3):
        start = time.perf_counter()
        for one in wanted:
            index.touched((one,))
        best = min(best, time.perf_counter() - start)
    return best / len(wanted) * 1e6


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("sizes", nargs="*", type=int, help="subscriptions; 1000 to 1000000 by default")
    chosen = options.parse_args()
    sizes = chosen.sizes or ([100, 1_000] if chosen.quick else [1_000, 10_000, 100_000, 1_000_000])
    print(f"{'':12}" + "".join(f"{size:>20,}" for size in sizes))
    for name, ranges, key in CASES:
        costs = [measure(size, ranges, key) for size in sizes]
        cells = [f"{cost:8.2f} µs ({cost / costs[0]:4.1f}x)" for cost in costs]
        print(f"{name:12}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
