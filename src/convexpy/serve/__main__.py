"""`python -m convexpy.serve --data DIR`: run a deployment server until it is told to stop."""

import sys

from convexpy.execution import base_process

if "--starter" not in sys.argv and "--help" not in sys.argv:
    base_process.start_early()  # it imports what executors need while this process imports the server

from convexpy.serve.server import main

try:
    status = main(sys.argv[1:])
finally:
    base_process.discard_early()
sys.exit(status)
