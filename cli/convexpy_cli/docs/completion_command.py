"""`convexpy completion`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command

_SHELL = Argument(metavar="SHELL", help="bash, zsh, fish or powershell [that of $SHELL]")


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy completion show bash", 'eval "$(convexpy completion show bash)"'),
)
def completion_show(run: Invocation, shell: Annotated[str | None, _SHELL] = None) -> None:
    """Print the completion script of a shell. Pressing Tab then starts no Python.

    Exit codes: 0 done, 2 unknown shell.
    """
    from convexpy_cli.docs import completion, completion_scripts

    name = completion.chosen_shell(shell)
    text = completion_scripts.script(name)
    run.output.result({"shell": name, "script": text}, text.rstrip("\n"))


@leaf_command(examples=("convexpy completion install zsh", "convexpy completion install --yes"))
def completion_install(run: Invocation, shell: Annotated[str | None, _SHELL] = None) -> None:
    """Have a shell complete convexpy: asks before it changes the shell's own file.

    Exit codes: 0 done, 2 unknown shell, 4 nobody to ask (--yes).
    """
    from convexpy_cli.docs import completion

    file = completion.install(run, completion.chosen_shell(shell))
    run.output.result({"path": str(file)}, str(file))
    run.output.note("it works in shells that are started from now on")


@leaf_command(examples=("convexpy completion uninstall zsh",))
def completion_uninstall(run: Invocation, shell: Annotated[str | None, _SHELL] = None) -> None:
    """Take back what `completion install` wrote, and nothing else.

    Exit codes: 0 done, 2 unknown shell.
    """
    from convexpy_cli.docs import completion

    file = completion.uninstall(completion.chosen_shell(shell))
    run.output.result({"path": str(file)}, str(file))
