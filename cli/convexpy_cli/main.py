"""The fast root of the command line.

It imports `sys` only. `--version`, `--help` and mistyped commands are answered here, from a static table; a
known command imports its own module and nothing of the others.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from convexpy_cli.table import Command

USAGE = "Usage: convexpy [global flags] COMMAND [arguments]"


def main() -> None:
    """Entry point of the `convexpy` script."""
    try:
        if None in (sys.stdin, sys.stdout, sys.stderr):
            from convexpy_cli import streams

            streams.open_missing()
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        from convexpy_cli import streams

        if not streams.reader_has_gone():
            raise
        status = 0
    except KeyboardInterrupt:
        # Before the command itself has begun; later it has its own way.
        status = 130
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    from convexpy_cli import table

    leading: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest[0]
        name, equals, _ = word.partition("=")
        if word in ("-V", "--version"):
            return _version("--json" in arguments)
        if word in ("-h", "--help", "help"):
            return _help(rest[1:])
        if word in table.GLOBAL_SWITCHES:
            leading.append(rest.pop(0))
        elif name in table.GLOBAL_VALUES:
            leading.append(rest.pop(0))
            if not equals and rest:
                leading.append(rest.pop(0))
        else:
            break
    if not rest:
        return _help([])
    if rest[0].startswith("-"):
        return _unknown_flag(rest[0], arguments)
    found = table.find(rest)
    if found is None:
        return _no_such_command(rest, arguments)
    full, command, count = found
    return _leaf(full, command, leading + rest[count:])


def _leaf(full: str, command: Command, arguments: list[str]) -> int:
    from convexpy_cli import leaf

    return leaf.execute(full, command, arguments)


def _version(as_json: bool) -> int:
    from convexpy_cli.docs import about

    if not as_json:
        sys.stdout.write(f"convexpy {about.version_text()}\n")
        return 0
    sys.stdout.write(about.version_json())
    return 0


def _help(words: list[str]) -> int:
    from convexpy_cli import table
    from convexpy_cli.docs import situation

    words = [word for word in words if not word.startswith("-")]
    if words:
        found = table.find(words)
        if found is not None:
            return _leaf(found[0], found[1], ["--help"])
        return _family_help(words[0]) if words[0] in table.FAMILIES else _no_such_command(words, words)
    lines = [situation.describe(), "", USAGE, ""]
    for group in table.GROUPS:
        rows = [(name, command.help) for name, command in table.COMMANDS.items() if command.group == group]
        if rows:
            lines += [group, *(f"  {name:<16} {text}" for name, text in rows), ""]
    lines += ["`convexpy COMMAND --help` tells more.  `convexpy --version` prints the version."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _family_help(family: str) -> int:
    from convexpy_cli import table

    lines = [f"convexpy {family}: {table.FAMILIES[family]}", ""]
    for name, command in table.COMMANDS.items():
        if name.startswith(family + " "):
            lines.append(f"  {name:<16} {command.help}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _no_such_command(rest: list[str], arguments: list[str]) -> int:
    from convexpy_cli import table

    family = rest[0] if rest[0] in table.FAMILIES else None
    if family and (len(rest) == 1 or rest[1] in ("-h", "--help")):
        return _family_help(family)
    if family:
        candidates = [name.split()[1] for name in table.COMMANDS if name.startswith(family + " ")]
        meant = table.nearest(rest[1], candidates)
        return _usage_error(
            f'no command "{family} {rest[1]}"',
            f"convexpy {family} {meant}" if meant else f"convexpy {family}",
            arguments,
        )
    meant = table.nearest(rest[0], table.names())
    near = f"did you mean `convexpy {meant}`?" if meant else "convexpy --help lists the commands"
    hint = table.ELSEWHERE.get(rest[0], near)
    return _usage_error(f'no command "{rest[0]}"', hint, arguments)


def _unknown_flag(flag: str, arguments: list[str]) -> int:
    from convexpy_cli import table

    known = [*table.GLOBAL_SWITCHES, *table.GLOBAL_VALUES, "--help", "--version"]
    meant = table.nearest(flag.partition("=")[0], known)
    hint = f"did you mean `{meant}`?" if meant else "convexpy --help lists the commands"
    return _usage_error(f"no global flag {flag}", hint, arguments)


def _usage_error(message: str, hint: str, arguments: list[str]) -> int:
    if "--json" in arguments or "--format=json" in arguments:
        from convexpy_cli.docs import about

        sys.stderr.write(about.usage_error_json(message, hint))
    else:
        sys.stderr.write(f"error[UsageError]: {message}\n  try                        {hint}\n")
    return 2


if __name__ == "__main__":
    main()
