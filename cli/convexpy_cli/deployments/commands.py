"""The commands of `convexpy deployment`, and `convexpy login`, `logout` and `status`."""

from __future__ import annotations

from typing import Annotated, Any

from convexpy_cli import completion, errors
from convexpy_cli.command import DEFAULT, argument, command, family, option, single
from convexpy_cli.context import Context

app = family("Manage the deployments of this project.")
login_app = family("Store keys of servers.")
logout_app = single()
status_app = single()

Ref = Annotated[str, argument("local, a configured name, or a URL.", complete=completion.deployments)]
Name = Annotated[str, argument("Name of the deployment.", complete=completion.deployments)]
Key = Annotated[str | None, option("--key KEY", "Its admin key; - reads it from stdin [default: ask].")]


@command(
    app,
    "show",
    examples=("convexpy deployment show --explain", "convexpy deployment show --as-env >> .env.local"),
)
def show(
    ctx: Context,
    ref: Annotated[
        str | None, argument("A name or URL [default: the selected one].", complete=completion.deployments)
    ] = None,
    explain: Annotated[bool, option("--explain", "Show where the URL and key come from.")] = False,
    as_env: Annotated[bool, option("--as-env", "Print variables for the official command line.")] = False,
) -> None:
    """Show which deployment the other commands use."""
    from convexpy_cli.deployments import current
    from convexpy_cli.docs.about import PROTOCOL_VERSION

    target, running = current.current(ctx, ref)
    if as_env:
        current.write_env(ctx, target)
        return
    shown: dict[str, Any] = {
        "name": target.name,
        "type": target.kind,
        "url": target.url or None,
        "siteUrl": target.site_url,
        "protected": target.protected,
        "production": target.production,
        "source": {"url": target.url_source, "key": target.key_source},
        "serverVersion": running,
        "protocol": PROTOCOL_VERSION,
    }
    fields = {
        "name": target.name,
        "type": "production" if target.production else target.kind,
        "url": target.url or "not running",
        "site url": target.site_url,
        "server": running or "not reachable",
        "url from": target.url_source if explain else None,
        "key from": target.key_source if explain else None,
    }
    ctx.output.fields(shown, fields)


@command(app, "list", formats=("human", "plain", "json"), examples=("convexpy deployment list",))
def list_(ctx: Context) -> None:
    """List the named deployments of this project and of the user."""
    from convexpy_cli.deployments import names

    rows = names.listed(ctx)
    ctx.output.table(["name", "type", "url", "key", ""], [names.cells(row) for row in rows], rows)


@command(app, "select", examples=("convexpy deployment select staging",))
def select(ctx: Context, ref: Ref) -> None:
    """Select a deployment for development.

    Its name and URLs are written to .env.local.
    """
    from convexpy.project import LocalDeployment, client_variables, read_env_file, update_env_file
    from convexpy_cli.deployments import current

    project = ctx.project
    file = project.root / ".env.local"
    old = read_env_file(file).get("CONVEXPY_DEPLOYMENT") or project.config.default_deployment
    target = current.named(ctx, ref)
    if target.production:
        raise errors.consent(
            f'"{target.name}" is production and cannot be selected for development',
            f"use `convexpy deploy`, or -d {ref} with other commands",
        )
    if target.kind == "local":
        ports = LocalDeployment(project).remembered_ports()
        url, site_url = (f"http://127.0.0.1:{port}" for port in ports) if ports else ("", "")
    else:
        url, site_url = target.url, target.site_url or ctx.client(target).urls()[1]
    update_env_file(file, {"CONVEXPY_DEPLOYMENT": target.name})
    if url:
        client_file = project.root / project.config.client_file
        update_env_file(client_file, client_variables(project.root, client_file, url, site_url))
    ctx.output.step("ok", f"{old} → {target.name}")
    urls = {"url": url or None, "siteUrl": site_url or None}
    ctx.output.result({"name": target.name, "old": old, **urls, "file": file.name}, target.name)


@command(
    app,
    "add",
    examples=(
        "convexpy deployment add prod --url https://api.example.com --production",
        "convexpy deployment add lab --url http://10.0.0.7:3210 --global",
    ),
)
def add(
    ctx: Context,
    name: Annotated[str, argument("Name for the deployment.")],
    site_url: Annotated[
        str | None, option("--site-url URL", "URL of HTTP actions [default: ask the server].")
    ] = None,
    production: Annotated[
        bool, option("--production", "Mark it as production: `deploy` and --prod use it.")
    ] = False,
    protected: Annotated[bool, option("--protected", "Ask before every write.")] = False,
    for_user: Annotated[bool, option("--global", "Add it for all projects of this user.")] = False,
    key: Key = None,
) -> None:
    """Add a deployment, given with --url, to convexpy.toml.

    Its key is checked and stored outside the project.
    """
    from convexpy.project import Profiles, check_name
    from convexpy_cli.deployments import names

    if not ctx.settings.url:
        raise errors.usage("--url is missing", f"convexpy deployment add {name} --url https://…")
    check_name(name)
    profiles = Profiles.of_user() if for_user else Profiles.of_project(ctx.project)
    if name in profiles.names():
        raise errors.usage(
            f'a deployment named "{name}" already exists', f"convexpy deployment remove {name}"
        )
    url, used = names.checked(ctx, ctx.settings.url, key, reuse=True)
    profiles.add(name, url, site_url=site_url, production=production, protected=protected)
    names.remember(url, used, name)
    ctx.output.step("ok", f"{name} is {url}, in {profiles.file.name}")
    ctx.output.result({"name": name, "url": url, "file": str(profiles.file)}, name)


@command(app, "rename", examples=("convexpy deployment rename staging qa",))
def rename(ctx: Context, name: Name, new: Annotated[str, argument("The new name.")]) -> None:
    """Rename a deployment."""
    from convexpy.project import check_name, read_env_file, update_env_file
    from convexpy_cli.deployments import names

    check_name(new)
    profiles = names.holding(ctx, name)
    profiles.rename(name, new)
    if ctx.project_or_none is not None:
        file = ctx.project.root / ".env.local"
        if read_env_file(file).get("CONVEXPY_DEPLOYMENT") == name:
            update_env_file(file, {"CONVEXPY_DEPLOYMENT": new})
    ctx.output.step("ok", f"{name} → {new}, in {profiles.file.name}")
    ctx.output.result({"name": new, "old": name, "file": str(profiles.file)}, new)


@command(app, "remove", examples=("convexpy deployment remove staging",))
def remove(ctx: Context, name: Name) -> None:
    """Remove a deployment from the configuration. The server itself is not touched."""
    from convexpy_cli.deployments import names

    profiles = names.holding(ctx, name)
    profiles.remove(name)
    kept = "its key is still stored (convexpy logout removes it)"
    ctx.output.step("ok", f"{name} is removed from {profiles.file.name}; {kept}")
    ctx.output.result({"name": name, "file": str(profiles.file)}, name)


@command(
    app, "history", formats=("human", "plain", "json"), examples=("convexpy deployment history -d prod",)
)
def history(
    ctx: Context,
    limit: Annotated[int, option("--limit N", "Number of pushes, newest first.", min=1)] = 20,
) -> None:
    """List pushes: version, time, author, commit and message. `deploy --rollback` can bring back those that are kept."""
    from convexpy_cli.deployments import names

    with ctx.connected("deployment history") as (_, client):
        pushes = client.history(limit)
    columns = ["version", "state", "pushed", "by", "commit", "message"]
    ctx.output.table(columns, [names.history_cells(each) for each in pushes], pushes)


@command(
    app, "previews", formats=("human", "plain", "json"), examples=("convexpy deployment previews -d prod",)
)
def previews(ctx: Context) -> None:
    """List previews with URL, state, last deploy and expiry."""
    from convexpy_cli.deployments import names

    with ctx.connected("deployment previews", target=ctx.target(deploying=True)) as (_, client):
        found = client.previews()
    columns = ["name", "url", "state", "deployed", "by", "expires"]
    ctx.output.table(columns, [names.preview_cells(each) for each in found], found)


@command(app, "delete", examples=("convexpy deployment delete preview/pr-7 --allow=data-delete",))
def delete(ctx: Context, name: Annotated[str, argument("Name of the preview: preview/NAME.")]) -> None:
    """Delete a preview with all its data."""
    from convexpy.project import PREVIEW_PREFIX
    from convexpy_cli.deployments import names

    if not name.startswith(PREVIEW_PREFIX):
        raise errors.usage(
            f"{name!r} is not a preview: other deployments are servers of their own",
            "convexpy deployment delete preview/NAME; `deployment remove` forgets a name",
        )
    removed = names.delete_preview(ctx, name)
    ctx.output.step("ok", f"{name} is deleted")
    ctx.output.result(removed, name)


@command(app, "reset", examples=("convexpy deployment reset local --allow=data-delete",))
def reset(
    ctx: Context,
    ref: Annotated[str, argument("Only the local deployment can be reset.", "local")],
    confirm: Annotated[str | None, option("--confirm NAME", "Its name, where it cannot be typed.")] = None,
) -> None:
    """Delete all data of the local deployment. Its key and ports are kept."""
    from convexpy_cli.deployments import names

    if ref != "local":
        raise errors.usage("only the local deployment can be reset", "convexpy deployment reset local")
    ctx.output.result(names.reset_local(ctx, confirm), "local")


@command(
    login_app,
    DEFAULT,
    examples=("convexpy login https://api.example.com --name prod", "convexpy login URL --key - < key.txt"),
    secret_values=True,
)
def login(
    ctx: Context,
    server: Annotated[str | None, argument("URL of the server.", "URL")] = None,
    name: Annotated[str | None, option("--name NAME", "Name for the server, in all projects.")] = None,
    key: Key = None,
) -> None:
    """Check the admin key of a server and store it for this user. There are no accounts."""
    from convexpy.project import Profiles, check_name, origin_of
    from convexpy_cli.deployments import names

    where = server or ctx.settings.url
    if where is None:
        raise errors.usage("the URL of a server is missing", "convexpy login https://…")
    if name is not None:
        check_name(name)
    url, used = names.checked(ctx, where, key, reuse=False)
    names.remember(url, used, name)
    profiles = Profiles.of_user()
    if name is not None and name not in profiles.names():
        profiles.add(name, url)
    ctx.output.step("ok", f"the key for {origin_of(url)} is stored")
    ctx.output.result({"origin": origin_of(url), "name": name}, name or origin_of(url))


@command(login_app, "status", formats=("human", "plain", "json"), examples=("convexpy login status",))
def login_status(ctx: Context) -> None:
    """List the servers whose keys are stored. No server is contacted and no key is shown."""
    from convexpy_cli.deployments import names
    from convexpy_cli.output.units import local_minute

    rows = names.remembered()
    cells = [
        [row["origin"], row["name"] or "-", row["prefix"] + "|…", local_minute(row["addedAt"])]
        for row in rows
    ]
    ctx.output.table(["server", "name", "key", "added"], cells, rows)


@command(logout_app, examples=("convexpy logout prod", "convexpy logout --all"))
def logout(
    ctx: Context,
    which: Annotated[str | None, argument("A name or URL.", "NAME", complete=completion.deployments)] = None,
    everything: Annotated[bool, option("--all", "Remove all stored keys.")] = False,
) -> None:
    """Remove the stored key of a server. The key stays valid; `convexpy keys revoke` revokes it."""
    from convexpy.project import forget_key, origin_of
    from convexpy_cli.deployments import names

    wanted = names.remembered()
    if not everything:
        if which is None:
            raise errors.usage("the name or URL of a server is missing", "convexpy logout NAME, or --all")
        urls = {which}
        if not which.startswith(("http://", "https://")):
            urls = {row["url"] for row in names.listed(ctx) if row["name"] == which and row["url"]}
        origins = {origin_of(url) for url in urls}
        wanted = [entry for entry in wanted if entry["origin"] in origins or entry["name"] == which]
        if not wanted:
            hint = "convexpy login status"
            raise errors.Failure("TargetUnknown", f"no key is stored for {which}", hint=hint)
    forgotten = [entry["origin"] for entry in wanted]
    for origin in forgotten:
        forget_key(origin)
    ctx.output.step("ok", f"removed: {', '.join(forgotten) or 'nothing'}")
    ctx.output.result({"forgotten": forgotten}, "\n".join(forgotten))


@command(
    status_app,
    formats=("human", "json", "jsonl"),
    examples=("convexpy status -d prod", "convexpy status --json"),
)
def status(
    ctx: Context,
    watch: Annotated[bool, option("--watch", "Repeat until Ctrl-C, in place at a terminal.")] = False,
    interval: Annotated[float, option("--interval SECONDS", "Time between two updates.")] = 2.0,
) -> int | None:
    """Show the state of the deployment: live version, index builds, clients, errors, cron jobs and disk space."""
    from convexpy_cli.deployments import status

    return status.show(ctx, watch=watch, interval_s=interval)
