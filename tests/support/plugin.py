"""How the tests of an app find the fixture `convex`: by the entry point of an installed package, or by name."""

from __future__ import annotations

from importlib.metadata import entry_points


def plugin_flags() -> list[str]:
    """Return what pytest has to be told; nothing where the package is installed, since a plugin is registered once."""
    installed = any(entry.value.startswith("convexpy.testing") for entry in entry_points(group="pytest11"))
    return [] if installed else ["-p", "convexpy.testing.plugin"]
