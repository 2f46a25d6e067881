"""Completion scripts for shells, written out of the table and the declared flags: pressing Tab starts no Python.

Names of functions and tables come from files that `dev` and `deploy` leave in `.convexpy/cache/`.
"""

from __future__ import annotations

from collections.abc import Callable

from convexpy_cli import declared, table

SHELLS = ("bash", "zsh", "fish", "powershell")
CACHES = {"run": "functions", "functions show": "functions", "data": "tables", "schema show": "tables"}
"""Commands whose first argument is a name of the project, and the file of names."""


def _second_words() -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for name in table.COMMANDS:
        first, _, second = name.partition(" ")
        if second:
            words.setdefault(first, []).append(second)
    return words


def _flags() -> dict[str, list[str]]:
    """Return the long flags of each command."""
    return {
        each.name: [
            flag for parameter in each.parameters for flag in parameter.names if flag.startswith("--")
        ]
        for each in declared.commands()
    }


def script(shell: str) -> str:
    """Return the script for a shell."""
    writers: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish, "powershell": powershell}
    return writers[shell]()


_BASH = """\
# convexpy completion for bash
_convexpy() {
  local current="${COMP_WORDS[COMP_CWORD]}" first="${COMP_WORDS[1]}" second="${COMP_WORDS[2]}" words="" names=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="@FIRST@"
  else
    case "$first" in
@SECOND@
    esac
    case "$first $second" in
@FLAGS_TWO@
      *) case "$first" in
@FLAGS_ONE@
      esac ;;
    esac
    [ "${current#-}" = "$current" ] && case "$first $second" in
@NAMES@
    esac
    if [ -n "$names" ] && [ -r ".convexpy/cache/$names" ]; then
      words="$words $(cat ".convexpy/cache/$names")"
    fi
  fi
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$current"
}
complete -o default -F _convexpy convexpy
"""


def bash() -> str:
    """Return the script for bash."""
    second = [
        f'      {first}) [ "$COMP_CWORD" -eq 2 ] && words="{" ".join(words)}" ;;'
        for first, words in _second_words().items()
    ]
    flags = _flags()
    two = [
        f'      "{name}") words="$words {" ".join(found)}" ;;' for name, found in flags.items() if " " in name
    ]
    one = [
        f'        {name}) words="$words {" ".join(found)}" ;;'
        for name, found in flags.items()
        if " " not in name
    ]
    names = [f'      "{command}"*) names={file} ;;' for command, file in sorted(CACHES.items(), reverse=True)]
    text = _BASH.replace("@FIRST@", " ".join(table.names()))
    for mark, lines in (("@SECOND@", second), ("@FLAGS_TWO@", two), ("@FLAGS_ONE@", one), ("@NAMES@", names)):
        text = text.replace(mark, "\n".join(lines))
    return text


def zsh() -> str:
    """Return the script for zsh: that of bash, which zsh can run."""
    return "#compdef convexpy\nautoload -U +X bashcompinit && bashcompinit\n" + bash().replace(
        "# convexpy completion for bash", "# convexpy completion for zsh"
    )


def fish() -> str:
    """Return the script for fish."""
    lines = ["# convexpy completion for fish", "complete -c convexpy -f"]
    second = _second_words()
    for name in table.names():
        help = table.FAMILIES.get(name) or table.COMMANDS[name].help
        lines.append(f"complete -c convexpy -n __fish_use_subcommand -a {name} -d {_quoted(help)}")
    for first, words in second.items():
        seen = f"__fish_seen_subcommand_from {first}; and not __fish_seen_subcommand_from {' '.join(words)}"
        lines += [
            f"complete -c convexpy -n '{seen}' -a {word} -d {_quoted(table.COMMANDS[f'{first} {word}'].help)}"
            for word in words
        ]
    for each in declared.commands():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in each.name.split())
        for parameter in each.parameters:
            flags = " ".join(f"-l {flag[2:]}" for flag in parameter.names if flag.startswith("--"))
            if flags:
                value = " -r" if parameter.takes_value else ""
                lines.append(f"complete -c convexpy -n '{seen}' {flags}{value} -d {_quoted(parameter.help)}")
    for command, file in CACHES.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.split())
        lines.append(f"complete -c convexpy -n '{seen}' -a '(cat .convexpy/cache/{file} 2>/dev/null)'")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_POWERSHELL = """\
# convexpy completion for PowerShell
Register-ArgumentCompleter -Native -CommandName convexpy -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $first = @(@FIRST@)
  $second = @{ @SECOND@ }
  $flags = @{ @FLAGS@ }
  $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
  if ($wordToComplete -ne '') { $words = @($words | Select-Object -SkipLast 1) }
  $candidates = $first
  if ($words.Count -ge 2) {
    $candidates = @()
    if ($words.Count -eq 2) { $candidates += $second[$words[1]] }
    $name = "$($words[1]) $($words[2])"
    if (-not $flags.ContainsKey($name)) { $name = $words[1] }
    $candidates += $flags[$name]
  }
  $candidates | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
"""


def powershell() -> str:
    """Return the script for PowerShell."""

    def items(words: list[str]) -> str:
        return ", ".join(f"'{word}'" for word in words)

    second = "; ".join(f"'{first}' = @({items(words)})" for first, words in _second_words().items())
    flags = "; ".join(f"'{name}' = @({items(found)})" for name, found in _flags().items())
    text = _POWERSHELL.replace("@FIRST@", items(table.names()))
    return text.replace("@SECOND@", second).replace("@FLAGS@", flags)
