"""Questions to the person at the terminal, behind one gate: nobody is ever waited for who is not there.

Questions are drawn on stderr, so that stdout stays the result. questionary is imported only when one is
really asked, and always before an event loop runs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from convexpy_cli import errors
from convexpy_cli.output.settings import Settings, driven_by_agent, flag_from_environment


class Prompts:
    """Asks, or says at once that it cannot and which flag answers the question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def allowed(self) -> bool:
        """Return whether a question may be asked: two terminals, a person, and a format for people."""
        if self._settings.no_input or self._settings.machine:
            return False
        if flag_from_environment("CONVEXPY_NO_INPUT") or flag_from_environment("CI") or driven_by_agent():
            return False
        return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)

    def text(self, question: str, *, answered_by: str, default: str | None = None) -> str:
        """Ask for a line of text. Without a terminal: the default, or exit 4 naming `answered_by`."""
        if not self.allowed():
            return self._unasked(question, answered_by, default)
        return str(_ask("text", question, default=default or ""))

    def secret(self, question: str, *, answered_by: str) -> str:
        """Ask for a value that is not shown."""
        return (
            str(_ask("password", question)) if self.allowed() else self._unasked(question, answered_by, None)
        )

    def choose(
        self, question: str, choices: Sequence[tuple[str, str]], *, answered_by: str, default: str
    ) -> str:
        """Let one of `choices` (value, title) be picked. Without a terminal: the default."""
        if not self.allowed():
            return self._unasked(question, answered_by, default)
        import questionary

        room = shutil.get_terminal_size().columns - len(" » ") - 1
        options = [
            questionary.Choice(title if len(title) <= room else title[: room - 1] + "…", value)
            for value, title in choices
        ]
        return str(_ask("select", question, choices=options, default=default))

    def confirm(self, question: str, *, default: bool, routine: bool = True) -> bool:
        """Ask yes or no. `--yes` answers yes to a routine question; without a terminal it is the default."""
        if self._settings.yes and routine:
            return True
        return bool(_ask("confirm", question, default=default)) if self.allowed() else default

    def agree(self, question: str, *, default: bool = False, routine: bool = True) -> bool:
        """Ask as `confirm` does, but a person's no ends the command.

        Raises:
            Failure: `Declined` (exit 9).
        """
        agreed = self.confirm(question, default=default, routine=routine)
        if not agreed and self.allowed():
            raise errors.Failure("Declined", "Cancelled.")
        return agreed

    def _unasked(self, question: str, answered_by: str, default: str | None) -> str:
        if default is not None:
            return default
        raise errors.Failure(
            "InputRequired", f'"{question}" cannot be asked without a terminal', hint=answered_by
        )


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        # A closed or missing stream is no terminal.
        return False


def _ask(kind: str, question: str, **options: Any) -> Any:
    import questionary
    from prompt_toolkit.output import create_output

    ask: Any = getattr(questionary, kind)
    return ask(question, output=create_output(stdout=sys.stderr), **options).unsafe_ask()
