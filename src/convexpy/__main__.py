"""`python -m convexpy` is the command line, where that is installed. Found by name: the library never imports it."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[0] = "convexpy"
    runpy.run_module("convexpy_cli", run_name="__main__")
