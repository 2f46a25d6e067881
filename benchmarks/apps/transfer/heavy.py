"""A query that computes: benchmarks/bench_query_cores.py."""

from convexpy import query


@query
def work(ctx, rounds: int, number: int) -> int:
    """Compute for some milliseconds; each number has a result of its own."""
    total = number
    for step in range(rounds):
        total = (total * 31 + step) % 1_000_003
    return total
