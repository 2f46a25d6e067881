"""`convexpy version`."""

from __future__ import annotations

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(examples=("convexpy version --json",))
def version(run: Invocation) -> None:
    """Print the version; with -v or --json also Python, platform, protocol and how it was installed.

    Exit codes: 0 done.
    """
    from convexpy_cli.docs import about

    info = about.version_info()
    human = f"convexpy {info['version']}"
    if run.settings.verbose:
        human += "".join(f"\n{name:<16} {value}" for name, value in list(info.items())[1:])
    run.output.result(info, human)
