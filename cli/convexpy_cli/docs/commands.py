"""Commands about the tool itself: `convexpy docs`, `help`, `version`, `update`, and those of `convexpy completion`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from convexpy_cli import errors
from convexpy_cli.command import COMPLETE_VARIABLE, argument, command, family, flags_help, option, single
from convexpy_cli.context import Context

docs_app = single()
help_app = single()
version_app = single()
update_app = single()
completion_app = family("Set up completion for a shell.")

Shell = Annotated[
    Literal["bash", "zsh", "fish", "powershell"] | None,
    argument("bash, zsh, fish or powershell [default: that of $SHELL]."),
]


@command(
    docs_app,
    formats=("human", "plain", "json"),
    examples=("convexpy docs deploying", "convexpy docs SchemaMismatch"),
)
def docs(
    ctx: Context,
    topic: Annotated[str | None, argument("A page or an error code [default: list the pages].")] = None,
) -> None:
    """Read the documentation of this version, offline."""
    from convexpy_cli.docs import manual

    if topic is not None:
        text = manual.read(topic)
        ctx.output.page({"topic": topic, "text": text}, text)
        return
    pages = manual.topics()
    rows = [[name, title] for name, title in pages.items()]
    ctx.output.table(["topic", "title"], rows, [{"topic": name, "title": pages[name]} for name in pages])


@command(help_app, "help", examples=("convexpy help serve", "convexpy help flags"))
def help_(
    ctx: Context,
    words: Annotated[list[str] | None, argument("A command, or flags.", "COMMAND")] = None,
) -> None:
    """Explain a command with all its options and examples, or the global flags."""
    root: Any = ctx.find_root()
    text = flags_help() if words == ["flags"] else root.command.help_of(root, words or [])
    ctx.output.result({"topic": " ".join(words or []), "text": text}, text)


@command(version_app, examples=("convexpy version --json",))
def version(ctx: Context) -> None:
    """Show the version; with -v or --json also Python, platform, protocol and how it was installed."""
    from convexpy_cli.docs import about

    info = about.version_info()
    human = f"convexpy {info['version']}"
    if ctx.settings.verbose:
        human += "".join(f"\n{name:<16} {value}" for name, value in list(info.items())[1:])
    ctx.output.result(info, human)


@command(update_app, examples=("convexpy update --check", "convexpy update --run"))
def update(
    ctx: Context,
    check: Annotated[
        bool, option("--check", "Look for a newer version on PyPI; exit with 1 if there is one.")
    ] = False,
    run: Annotated[bool, option("--run", "Run the command.")] = False,
) -> int:
    """Show the command that updates this installation. Only --check contacts PyPI."""
    from convexpy_cli.docs import about, updating

    info = about.version_info()
    command = updating.command_of(info["installMethod"])
    newest = updating.newest_version() if check else None
    found = {
        "version": info["version"],
        "installMethod": info["installMethod"],
        "command": command,
        "newest": newest,
    }
    if newest is not None:
        ctx.output.note(f"newest version: {newest}, installed: {info['version']}")
    if run:
        if command is None:
            raise errors.usage("a checkout is updated with git pull")
        return updating.execute(command)
    ctx.output.result(found, command or "git pull")
    if newest is None:
        return errors.OK
    from packaging.version import Version

    return errors.FAILED if Version(newest) > Version(info["version"]) else errors.OK


@command(
    completion_app,
    "show",
    formats=("human", "plain", "json"),
    examples=('eval "$(convexpy completion show bash)"',),
)
def completion_show(ctx: Context, shell: Shell = None) -> None:
    """Print the completion script of a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    name = _chosen(shell)
    text = get_completion_script(prog_name="convexpy", complete_var=COMPLETE_VARIABLE, shell=name)
    ctx.output.result({"shell": name, "script": text}, text)


@command(completion_app, "install", examples=("convexpy completion install zsh",))
def completion_install(ctx: Context, shell: Shell = None) -> None:
    """Install completion for a shell. It changes the shell's startup file and takes effect in new shells."""
    from typer.completion import install  # type: ignore[attr-defined]

    _, file = install(_chosen(shell), "convexpy", COMPLETE_VARIABLE)
    ctx.output.result({"path": str(file)}, str(file))


@command(completion_app, "uninstall", examples=("convexpy completion uninstall zsh",))
def completion_uninstall(ctx: Context, shell: Shell = None) -> None:
    """Remove an installed completion script."""
    home = Path.home()
    scripts = {
        "bash": home / ".bash_completions" / "convexpy.sh",
        "zsh": home / ".zfunc" / "_convexpy",
        "fish": home / ".config" / "fish" / "completions" / "convexpy.fish",
    }
    file = scripts.get(_chosen(shell))
    if file is None:
        raise errors.usage("remove the lines of convexpy from your PowerShell profile yourself")
    file.unlink(missing_ok=True)
    startup = home / ".bashrc"
    if shell == "bash" and startup.is_file():
        lines = startup.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
        kept = [line for line in lines if str(file) not in line]
        startup.write_text("".join(kept), encoding="utf-8", errors="surrogateescape")
    ctx.output.result({"path": str(file)}, str(file))


def _chosen(shell: str | None) -> str:
    """Return the shell, by default that of `SHELL`."""
    name = shell or Path(os.environ.get("SHELL", "")).name or "bash"
    if name not in ("bash", "zsh", "fish", "powershell"):
        raise errors.usage(f"no completion for {name!r}", "bash, zsh, fish or powershell")
    return name
