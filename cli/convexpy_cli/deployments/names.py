"""The work of `convexpy deployment`, `login` and `logout`: named servers, keys that are remembered, what was pushed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from convexpy.client import AdminClient
from convexpy.errors import ProjectError
from convexpy.project import (
    LOCAL,
    PREVIEW_PREFIX,
    LocalDeployment,
    Profiles,
    Target,
    forget_key,
    origin_of,
    store_key,
    stored_entries,
    stored_key,
    user_remotes,
)
from convexpy.protocol.admin_api import PreviewInfo, PushInfo
from convexpy_cli import context, errors
from convexpy_cli.context import Context
from convexpy_cli.output import masking
from convexpy_cli.output.files import first_line_of_stdin
from convexpy_cli.output.units import commit_text, local_time

# Kept when local data goes: who has the key of a project keeps it, and browsers keep their address.
_KEPT_FILES = ("keys.json", "ports.json", "lock.json")


# What there is


def listed(ctx: Context) -> list[dict[str, Any]]:
    """Return every deployment that can be named: `name type url production protected hasKey source selected`."""
    project = ctx.project_or_none
    try:
        selected = ctx.target().name
    except (ProjectError, errors.Failure):
        selected = ""
    found: list[tuple[str, str | None, Mapping[str, Any], str]] = []
    if project is not None:
        found.append((LOCAL, None, {}, "built-in"))
        source = project.config.file.name if project.config.file else ""
        found += [(each.name, each.url, vars(each), source) for each in project.config.deployments.values()]
    known = {name for name, *_ in found}
    found += [
        (name, str(each["url"]), each, "user") for name, each in user_remotes().items() if name not in known
    ]
    return [
        {
            "name": name,
            "type": "local" if url is None else "remote",
            "url": None if url is None else masking.mask(url),
            "production": flags.get("production") is True,
            "protected": flags.get("protected") is True,
            "hasKey": url is None or stored_key(url) is not None,
            "source": source,
            "selected": name == selected,
        }
        for name, url, flags, source in found
    ]


def cells(row: dict[str, Any]) -> list[str]:
    """Return a deployment's line of the list."""
    kind = "production" if row["production"] else row["type"]
    marks = [
        text for text, shown in (("selected", row["selected"]), ("protected", row["protected"])) if shown
    ]
    return [row["name"], kind, row["url"] or "-", "yes" if row["hasKey"] else "no", ", ".join(marks) or "-"]


def holding(ctx: Context, name: str) -> Profiles:
    """Return the file that names a deployment.

    Raises:
        Failure: none does.
    """
    project = ctx.project_or_none
    for profiles in ([Profiles.of_project(project)] if project else []) + [Profiles.of_user()]:
        if name in profiles.names():
            return profiles
    raise errors.Failure("TargetUnknown", f'no deployment named "{name}"', hint="convexpy deployment list")


# Keys that are remembered


def checked(ctx: Context, url: str, key: str | None, *, reuse: bool) -> tuple[str, str]:
    """Return the URL and the key, from stdin or a hidden question where it is not given, after trying them.

    With `reuse` the key that is remembered for the server will do.

    Raises:
        Failure: it is no URL (exit 2), or nobody to ask for the key (exit 4).
        DeploymentError: nothing answers (6), or the key is not accepted (5).
    """
    if not url.startswith(("http://", "https://")):
        raise errors.usage(f"{url!r} is not an http(s) URL")
    if "@" in urlsplit(url).netloc:
        raise errors.usage(
            "the URL contains a user name or password", "use the URL without them, and --key -"
        )
    url = url.rstrip("/")
    key = ctx.settings.admin_key if key is None else key
    if key not in (None, "-"):
        context.key_on_command_line(ctx.output, "--key")
    client = AdminClient(url, None, source="the command line")
    try:
        client.version()
    finally:
        client.close()
    key = (
        (first_line_of_stdin("--key") if key == "-" else key)
        or (stored_key(url) if reuse else None)
        or ctx.prompts.secret(f"Key for {url}", answered_by="--key -")
    )
    target = Target(name=url, kind="remote", url=url, admin_key=key, url_source="the command line")
    ctx.client(target).check_key()
    return url, key


def remember(url: str, key: str, name: str | None) -> None:
    """Store the key of a server for this user."""
    store_key(url, key, name=name, added_ms=round(time.time() * 1000))


def remembered() -> list[dict[str, Any]]:
    """Return the servers whose keys are remembered: `origin name prefix addedAt`. Never a key."""
    return [
        {
            "origin": origin,
            "name": entry.get("name"),
            "prefix": entry["key"].partition("|")[0],
            "addedAt": entry.get("added"),
        }
        for origin, entry in sorted(stored_entries().items())
    ]


# Local data


def reset_local(ctx: Context, confirm: str | None) -> dict[str, Any]:
    """Delete the data of the local deployment; its key and ports stay. Return `name deleted`."""
    project = ctx.project
    local = LocalDeployment(project)
    if "data-delete" not in ctx.settings.allow and not (
        ctx.prompts.allowed() and ctx.prompts.text("Type `local` to delete its data", answered_by="") == LOCAL
    ):
        raise errors.consent(
            f"all documents, files and variables of the local deployment of {project.name} would be deleted",
            "--allow=data-delete",
        )
    if confirm not in (None, LOCAL):
        raise errors.usage(f"--confirm {confirm!r} is not the deployment to reset", "--confirm local")
    holder = local.acquire("deployment reset", time.time())
    if holder is not None:
        raise errors.Failure(
            "DevAlreadyRunning",
            f"`convexpy {holder.command}` is running: pid {holder.pid}",
            hint="stop it first",
        )
    deleted: list[str] = []
    try:
        for entry in sorted(local.folder.iterdir()):
            if entry.name in _KEPT_FILES:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
            deleted.append(entry.name)
    finally:
        local.release()
    ctx.output.step("ok", "the local deployment is empty")
    return {"name": LOCAL, "deleted": deleted}


# Previews


def delete_preview(ctx: Context, name: str) -> dict[str, object]:
    """Remove a preview with its data; `name` is `preview/NAME`. Return what is known of it.

    Raises:
        Failure: consent is missing.
    """
    short = name.removeprefix(PREVIEW_PREFIX)
    with ctx.connected("deployment delete", target=ctx.target(deploying=True)) as (_, client):
        found = [preview for preview in client.previews() if preview.name == short]
        if found and "data-delete" not in ctx.settings.allow:
            if not ctx.prompts.allowed():
                raise errors.consent(f"all data of {name} would be deleted", "--allow=data-delete")
            ctx.prompts.agree(f"Delete {name} with all its data?", routine=False)
        removed = client.remove_preview(short)
    forget_key(origin_of(removed.url))
    return {"name": name, "url": removed.url}


def preview_cells(entry: PreviewInfo) -> list[str]:
    """Return a preview as a row of the list."""
    deployed, expires = local_time(entry.deployed_at), local_time(entry.expires_at)
    return [f"{PREVIEW_PREFIX}{entry.name}", entry.url, entry.state, deployed, entry.actor or "-", expires]


# What was pushed


def history_cells(entry: PushInfo) -> list[str]:
    """Return a push as a row of the list."""
    where = " ".join(part for part in (commit_text(entry.commit, entry.dirty), entry.branch) if part)
    pushed = local_time(entry.pushed_at)
    state = "live" if entry.state == "active" else "kept" if entry.kept else "-"
    return [f"{entry.version}", state, pushed, entry.actor or "-", where or "-", entry.message or "-"]
