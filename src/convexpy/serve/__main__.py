"""`python -m convexpy.serve --data DIR`: run a deployment server until it is told to stop."""

import os
import sys

os.umask(0o077)  # nobody else can read what this process and its children make, whatever the umask was

from convexpy.executors import base_process  # noqa: E402 - see above

if "--starter" not in sys.argv and "--help" not in sys.argv:
    base_process.start_early()  # it imports what executors need while this process imports the server

from convexpy.serve.server import main  # noqa: E402 - see above

try:
    status: int = main(sys.argv[1:])
finally:
    base_process.discard_early()
sys.exit(status)
