"""convexpy: a reactive backend for Python, wire-compatible with Convex.

What an app imports. `convexpy.helpers`, `convexpy.testing` and `convexpy.values` have more; everything else is private.

A name is imported when it is first used: the command line and the server use rooms of this package without paying for
all of it, and only apps with HTTP actions load Starlette. The names are in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
