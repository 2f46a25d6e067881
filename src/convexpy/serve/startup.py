"""What a server is given before it starts: limits, keys that it accepts as they stand, its data folder, a push."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from convexpy.deployment import Deployment, DeploymentSettings, Keys
from convexpy.errors import Error
from convexpy.executors.base_process import DATABASE_READ_VARIABLE, DATABASE_VARIABLE
from convexpy.executors.executor_user import executor_user
from convexpy.executors.spares import SpawnStarter
from convexpy.executors.starter import ForkStarter, Starter
from convexpy.http.request_guard import AllowedNames
from convexpy.limits import Knobs
from convexpy.persistence import DatabaseOption, disk_refusal
from convexpy.protocol.host_names import is_loopback
from convexpy.runtime import PRIVATE_FOLDER
from convexpy.serve import first_start
from convexpy.serve.limits_file import read_limits
from convexpy.serve.options import ConfigInvalid, ServeOptions
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.variables.service import key_file

LITERAL_KEYS = "CONVEXPY_EXTRA_ADMIN_KEYS"
"""Keys to accept as they stand, for tools that have one built in. Not an option: other users see command lines."""
DEBUGGER = "CONVEXPY_DEBUGGER"
"""Where `breakpoint()` finds the terminal of `convexpy dev`. Not an option either: it may hold a token."""
EDITOR = "CONVEXPY_EDITOR"
"""Where executors connect to be debugged in an editor."""
logger: logging.Logger = logging.getLogger("convexpy.serve")
UNLIMITED_S = 7 * 24 * 3600.0


class DataFolderUnusable(Error):
    """The data folder cannot be made or written to."""


class BuiltInKey(Error, code="ConsentRequired"):
    """Keys that everybody may know are set on a server that everybody can reach."""


def literal_keys(options: ServeOptions) -> tuple[str, ...]:
    """Return the keys to accept as they stand.

    Raises:
        BuiltInKey: there are some, and everybody can reach the server.
    """
    keys = tuple(key for key in os.environ.get(LITERAL_KEYS, "").split(",") if key)
    if keys and options.production and not is_loopback(options.host):
        raise BuiltInKey(
            f"{LITERAL_KEYS} is set and {options.host} can be reached from other machines",
            hint=f"unset {LITERAL_KEYS}, or --host 127.0.0.1",
        )
    return keys


def debugger(options: ServeOptions) -> str:
    """Return the address of the terminal for `breakpoint()`; in production there is none."""
    return "" if options.production else os.environ.get(DEBUGGER, "")


def editor(options: ServeOptions) -> str:
    """Return where executors connect to be debugged in an editor; in production nowhere."""
    return "" if options.production else os.environ.get(EDITOR, "")


def database(options: ServeOptions) -> DatabaseOption | None:
    """Return the database server that has the data; None if it is in the data folder.

    Raises:
        ConfigInvalid: a schema is named, and no database.
    """
    url = os.environ.get(DATABASE_VARIABLE, "")
    if url:
        return DatabaseOption(url, options.database_schema, os.environ.get(DATABASE_READ_VARIABLE) or None)
    if options.database_schema is not None:
        raise ConfigInvalid(
            "--database-schema names a schema of a database, and no database is named",
            hint=f"--database URL, or the variable {DATABASE_VARIABLE}",
        )
    return None


def _cores() -> int:
    """Return how many cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1


def knobs(options: ServeOptions) -> Knobs:
    """Return the limits: of the options, else of the file, else the defaults."""
    memory_mib = options.memory_mib
    defaults = Knobs(query_executors=_cores()) if options.production else Knobs()
    given: dict[str, float | None] = {
        "query_executors": options.query_executors,
        "function_cpu_s": options.function_cpu_s,
        "executor_memory_bytes": None if memory_mib is None else memory_mib * 2**20,
        "ping_interval_s": options.ping_interval_s,
        "file_bytes": None if options.file_mib is None else options.file_mib * 2**20,
    }
    if editor(options):
        # A function that stands at a breakpoint of an editor looks like one that is slow.
        given |= dict.fromkeys(("function_cpu_s", "action_timeout_s", "action_loop_block_s"), UNLIMITED_S)
    if editor(options) or debugger(options):
        given["query_cache_bytes"] = 0  # every call must reach a breakpoint
    return msgspec.structs.replace(
        read_limits(options.config, defaults),
        **{name: value for name, value in given.items() if value is not None},
    )


def settings(
    options: ServeOptions,
    keys: Keys,
    urls: tuple[str, str],
    knobs: Knobs,
    *,
    secret_key: bytes | None,
    literal_keys: tuple[str, ...],
) -> DeploymentSettings:
    """Return the settings of the deployment; `urls` are the public ones of the API and of HTTP actions."""
    return DeploymentSettings(
        name=keys.name,
        instance_secret=keys.instance_secret,
        cloud_url=urls[0],
        site_url=urls[1],
        knobs=knobs,
        redact=options.redact_errors,
        development=not options.production,
        label=options.label,
        admin_key=keys.admin_key,
        secret_key=secret_key,
        literal_keys=literal_keys,
        install_packages=options.production,
        debugger=debugger(options),
        editor=editor(options),
    )


def allowed_names(options: ServeOptions, settings: DeploymentSettings) -> AllowedNames:
    """Return the hosts and web origins that the server serves: its own, and what its flags name."""
    anywhere = options.host in ("0.0.0.0", "::")
    return AllowedNames.of(
        production=options.production,
        hosts=[*options.allow_host, *(() if anywhere else (options.host,))],
        origins=options.allow_origin,
        own=(settings.cloud_url, settings.site_url),
    )


def starter(options: ServeOptions) -> Starter:
    """Return the way to start executors on this system."""
    fork = options.starter == "fork" or (options.starter == "auto" and sys.platform == "linux")
    return ForkStarter(keeps_trunk=not options.production) if fork else SpawnStarter()


def make_folder(options: ServeOptions) -> None:
    """Make the data folder, for its owner only; name what others can read of one that is there."""
    try:
        options.data.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise disk_refusal(error, options.data) from error
    if not os.access(options.data, os.R_OK | os.W_OK | os.X_OK):
        raise DataFolderUnusable(
            f"cannot write into {options.data}", hint="the user that runs the server needs all rights on it"
        )
    user = executor_user()
    if user is not None:
        user.share(options.data)
    wide = [path for path in (options.data, *_of_owner(options.data)) if _others_can_read(path)]
    if wide:
        logger.warning(
            "other users of this machine can read %s%s: chmod -R go-rwx %s",
            wide[0],
            f" and {len(wide) - 1} more of its files" if len(wide) > 1 else "",
            options.data,
        )


def _of_owner(folder: Path) -> Iterator[Path]:
    """Yield what must be the server's alone, if the folder does not keep it so."""
    names = ("keys.json", "log.db", "data.db", "storage", "versions", "new-keys", first_start.KEY_FILE)
    yield from (folder / name for name in names if _others_can_read(folder))
    yield key_file(folder)


def _others_can_read(path: Path) -> bool:
    try:
        # A group that may read is the executors', if they are of another user.
        others = 0o077 if executor_user() is None else 0o007
        return os.name != "nt" and bool(path.stat().st_mode & others)
    except OSError:
        return False


def read_push(descriptor: int | None) -> PushRequest | None:
    """Return the push in an inherited file: so it is on no command line, and no admin key is needed for it."""
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        stream.seek(0)
        return msgspec.json.decode(stream.read(), type=PushRequest)


def let_executors_write(deployment: Deployment) -> None:
    """Where executors are of another user: compiled modules and files on their way to storage are written by them."""
    user = executor_user()
    if user is not None:
        for folder in (deployment.sources.code_cache, deployment.storage.blobs.spool):
            user.may_write(folder)
