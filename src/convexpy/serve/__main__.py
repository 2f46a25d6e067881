"""`python -m convexpy.serve --data DIR`: run a deployment server until it is told to stop."""

import sys

from convexpy.serve.server import main

sys.exit(main(sys.argv[1:]))
