"""Messages between the server and the processes that executors are forked from, over a control socket.

Format: a length of four bytes, little endian, and one message in msgpack. Descriptors travel beside a command.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from convexpy.errors import ProjectError, SourceLocation
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import FrameReader

Role = Literal["transactions", "actions"]


class SetEnvironment(msgspec.Struct, tag="environment"):
    """To a fork server, first: the deployment's variables, and the folder of its packages."""

    variables: dict[str, str]


class ImportPackages(msgspec.Struct, tag="import"):
    """To a fork server: import third-party packages ahead of the next version."""

    modules: list[str]


class StartVersion(msgspec.Struct, tag="version"):
    """To a fork server: fork a process that imports this version. Descriptors: its control socket, memory for stacks."""

    settings: ExecutorSettings
    id: int = 0


class StartTrunk(msgspec.Struct, tag="trunk"):
    """To a fork server: fork a process that imports what needs none of the edited files. Descriptors as for a version."""

    settings: ExecutorSettings
    edited: list[str]
    id: int = 0


class StartExecutor(msgspec.Struct, tag="executor"):
    """To a version process: fork an executor. Descriptors: its stream, the memory of its call marker."""

    role: Role
    id: int = 0


Command = SetEnvironment | ImportPackages | StartTrunk | StartVersion | StartExecutor


class Forked(msgspec.Struct, tag="forked"):
    """The command with this id has forked a process."""

    id: int
    pid: int


class Exited(msgspec.Struct, tag="exited"):
    """A forked process has ended; `status` is negative for a signal."""

    pid: int
    status: int


class Importing(msgspec.Struct, tag="importing"):
    """The version process begins to import this module of the app, as the developer calls it."""

    module: str


class Loaded(msgspec.Struct, tag="loaded"):
    """The version process has imported the app."""

    app: AppDescription


class Prepared(msgspec.Struct, tag="prepared"):
    """The trunk has imported the app, but for these files."""

    left: list[str]


class LoadError(msgspec.Struct, rename="camel"):
    """Why an app does not import: the error that tools read."""

    code: str
    message: str
    location: SourceLocation | None = None
    hint: str | None = None
    data: Any = None

    def as_error(self) -> ProjectError:
        """Return the error for whoever wanted the app loaded."""
        return ProjectError(
            self.message, code=self.code, hint=self.hint, location=self.location, data=self.data
        )


class Failed(msgspec.Struct, tag="failed"):
    """The version process or trunk could not import the app, and ends."""

    error: LoadError


class Imported(msgspec.Struct, tag="imported"):
    """Packages are imported; those that are `unsafe` leave threads behind, which a fork would lose."""

    unsafe: list[str]


Report = Forked | Exited | Importing | Loaded | Prepared | Failed | Imported
_encode = msgspec.msgpack.Encoder().encode


def encode_message(message: Command | Report) -> bytes:
    """Return a message with its length."""
    body = _encode(message)
    return len(body).to_bytes(4, "little") + body


def reader_of_commands() -> FrameReader[Command]:
    """Return the reader of a fork server or version process."""
    return FrameReader(msgspec.msgpack.Decoder(Command).decode)


def reader_of_reports() -> FrameReader[Report]:
    """Return the server's reader."""
    return FrameReader(msgspec.msgpack.Decoder(Report).decode)
