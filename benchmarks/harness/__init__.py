"""What the benchmarks share: servers and peers, cheap load clients, what processes cost, and how figures are shown.

Only ratios inside one run mean anything on a shared machine, so everything here serves comparing things in turn.
"""
