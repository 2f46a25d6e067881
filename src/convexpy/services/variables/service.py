"""Environment variables of a deployment: encrypted where they are stored, plain only in memory.

They are sealed with a key (`access.Sealer`) that is in `CONVEXPY_SECRET_KEY`, or in a file beside the data folder: a copy
of the data alone tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from convexpy.access import KEY_VARIABLE, SEALED, Sealer, SecretKeyError
from convexpy.errors import Error
from convexpy.protocol.admin_api import VariableInfo
from convexpy.protocol.system.variables import ListVariables, UpdateVariables, VariableChange
from convexpy.runtime import write_private
from convexpy.values import Document, encode_wire

KEY_TEXT_LENGTH_MIN = 32
NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
NAME_LENGTH_MAX = 256
VALUE_BYTES_MAX = 8192
FINGERPRINT_LENGTH = 4
DEVELOPMENT = "CONVEXPY_DEVELOPMENT"
"""Set by the server of `convexpy dev` alone: functions that must never run in production look for it."""
BUILT_IN = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL", DEVELOPMENT)


def key_file(folder: Path) -> Path:
    """Return where a deployment's key is kept: beside its data folder, never inside."""
    return folder.with_name(f"{folder.name}.secret-key")


def load_secret_key(folder: Path, *, create: bool) -> bytes | None:
    """Return the key that encrypts variables; None if there is none and none may be made.

    Raises:
        SecretKeyError: the text of the variable, or of the file, is too short to be a key.
        OSError: the file cannot be read or made.
    """
    text = os.environ.get(KEY_VARIABLE, "")
    if text and len(text) < KEY_TEXT_LENGTH_MIN:
        raise SecretKeyError(
            f"{KEY_VARIABLE} is shorter than {KEY_TEXT_LENGTH_MIN} characters", code="SecretKeyTooShort"
        )
    if not text:
        file = key_file(folder)
        if create and (not file.exists() or not file.stat().st_size):
            write_private(file, os.urandom(32).hex().encode() + b"\n")
        if not file.exists():
            return None
        text = file.read_bytes().decode(errors="replace").strip()
        if len(text) < KEY_TEXT_LENGTH_MIN or not text.isprintable():
            raise SecretKeyError(
                f"{file} does not hold a key of {KEY_TEXT_LENGTH_MIN} characters or more: it was cut short or overwritten",
                hint=f"restore it from a backup, or set {KEY_VARIABLE}: the variables in the data are encrypted with it",
                code="SecretKeyTooShort",
            )
    return hashlib.sha256(b"convexpy variables" + text.encode()).digest()


def holds_sealed(stored: Mapping[str, str]) -> bool:
    """Say whether a key is needed to read what is stored: then none may be made in its place."""
    return any(value.startswith(SEALED) for value in stored.values())


class Variables:
    """The variables in plain text, and their way to and from storage."""

    def __init__(self, sealer: Sealer, stored: Mapping[str, str]) -> None:
        self._sealer = sealer
        self.values: dict[str, str] = {name: self.open(name, value) for name, value in stored.items()}
        self.has_plain: bool = any(not value.startswith(SEALED) for value in stored.values())

    def open(self, name: str, stored: str) -> str:
        """Return a stored value in plain text.

        Raises:
            SecretKeyError: it was encrypted with another key, or was changed.
        """
        # One written before variables were encrypted is sealed at the next start.
        return self._sealer.open(name, stored) if stored.startswith(SEALED) else stored

    def sealed(self, changes: Iterable[VariableChange]) -> list[VariableChange]:
        """Return changes as they are stored.

        Raises:
            Error: a name or value cannot be a variable.
        """
        sealed: list[VariableChange] = []
        for change in changes:
            name, value = change.name, change.value
            check_variable(name, value)
            sealed.append(VariableChange(name, None if value is None else self._sealer.seal(name, value)))
        return sealed

    def sealed_again(self) -> UpdateVariables:
        """Return the call that stores every variable, encrypted again."""
        changes = [VariableChange(name, value) for name, value in self.values.items()]
        return UpdateVariables(self.sealed(changes), again=True)

    def described(self, document: Document, secret: str) -> VariableInfo:
        """Return what can be told of a stored variable without telling its value.

        The fingerprint is keyed by `secret`, the deployment's: it shows whether a value is the one from before, and nothing
        else.
        """
        name = document["name"]
        value = self.open(name, document["value"])
        return VariableInfo(
            name=name,
            updated_at=document.get("updatedAt") or document["_creationTime"],
            length=len(value),
            fingerprint=fingerprint(secret, name, value),
        )

    def take(self, stored: Mapping[str, str]) -> None:
        """Take every variable as stored."""
        self.values = {name: self.open(name, value) for name, value in stored.items()}

    def opened(self, path: str, result: bytes) -> bytes:
        """Return the result of a function; of the queries that list variables, with the values in plain text."""
        if not path.startswith(ListVariables.path):
            return result
        found = msgspec.json.decode(result)
        for document in found if isinstance(found, list) else [found] if found else []:
            document["value"] = self.open(document["name"], document["value"])
        return encode_wire(found)


def fingerprint(secret: str, name: str, value: str) -> str:
    """Return a few hex digits that change with the value."""
    message = f"variable\0{name}\0{value}".encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()[:FINGERPRINT_LENGTH]


def check_variable(name: str, value: str | None) -> None:
    """Refuse an invalid name or value."""
    if len(name) > NAME_LENGTH_MAX:
        raise Error(
            f"the name of {name[:40]}… is longer than {NAME_LENGTH_MAX}",
            code="EnvironmentVariableNameTooLong",
        )
    if not NAME.fullmatch(name):
        raise Error(
            f"{name!r} is not a valid variable name: use letters, digits and _, and do not begin with a digit",
            code="EnvironmentVariableNameInvalid",
        )
    if name in BUILT_IN:
        raise Error(f"{name} is built in and cannot be set", code="EnvironmentVariableBuiltIn")
    if value is not None and len(value.encode()) > VALUE_BYTES_MAX:
        raise Error(
            f"the value of {name} is larger than {VALUE_BYTES_MAX} bytes",
            code="EnvironmentVariableValueTooLarge",
        )
