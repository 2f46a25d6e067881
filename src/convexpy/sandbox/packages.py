"""The app's own packages, where the server has installed them: on the path of the processes that run its functions.

They go before the packages of the server, but come after what these processes have imported for themselves: a version of
the app may not replace the library that runs it.
"""

from __future__ import annotations

import os
import site
import sys

from convexpy.protocol.executor_settings import PACKAGES_VARIABLE

_installed_by_server = False


def use_packages() -> None:
    """Put the folder that the environment names on the path; the app does not see the variable."""
    global _installed_by_server
    folder = os.environ.pop(PACKAGES_VARIABLE, None)
    _installed_by_server = folder is not None
    if folder:
        sys.path.insert(0, folder)
        site.addsitedir(folder)  # for its .pth files; the folder itself is on the path already


def missing_package_hint(name: str, label: str) -> str:
    """Return what to do when a module cannot be found."""
    if _installed_by_server:
        return f"name the package that provides {name!r} in {label}/requirements.txt"
    return f"install the package that provides {name!r} in the environment that runs convexpy"
