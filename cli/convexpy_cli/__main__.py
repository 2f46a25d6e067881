"""`python -m convexpy_cli` is the same as `convexpy`."""

from convexpy_cli.main import main

main()
