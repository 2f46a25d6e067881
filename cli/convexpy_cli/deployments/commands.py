"""`convexpy deployment`."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=("convexpy deployment show --explain", "convexpy deployment show --as-env >> .env.local")
)
def show(
    run: Invocation,
    ref: Annotated[str | None, Argument(help="a name or URL [the one that commands use]")] = None,
    explain: Annotated[bool, Option("--explain", help="where URL and key were found")] = False,
    as_env: Annotated[bool, Option("--as-env", help="variables for the official command line")] = False,
) -> None:
    """Show which deployment the other commands use. Contacts it only if it runs.

    Exit codes: 0 done, 3 no project, or half a target.
    """
    from convexpy_cli.deployments import current

    target, running = current.current(run, ref)
    if as_env:
        current.write_env(run, target)
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
        "protocol": current.protocol(),
    }
    lines = [
        f"name        {target.name}",
        f"type        {'production' if target.production else target.kind}",
        f"url         {target.url or 'not running'}",
    ]
    if target.site_url:
        lines.append(f"site url    {target.site_url}")
    lines.append(f"server      {running or 'does not answer'}")
    if explain:
        lines += [f"url from    {target.url_source}", f"key from    {target.key_source}"]
    run.output.result(shown, "\n".join(lines))


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy deployment list",))
def list_(run: Invocation) -> None:
    """List the deployments that have a name: in this project, and in the user's own files.

    Exit codes: 0 done, 3 the configuration is wrong.
    """
    from convexpy_cli.deployments import names

    rows = names.listed(run)
    run.output.table(["name", "type", "url", "key", ""], [names.cells(row) for row in rows], rows)


@leaf_command(examples=("convexpy deployment select staging",))
def select(run: Invocation, ref: Annotated[str, Argument(help="local, a configured name, or a URL")]) -> None:
    """Choose the deployment for development: writes its name and URLs into .env.local.

    Exit codes: 0 done, 3 no such deployment, 9 it is production.
    """
    from convexpy_cli.deployments import names

    selected = names.select(run, ref)
    run.output.result(selected, selected["name"])


@leaf_command(
    examples=(
        "convexpy deployment add prod --url https://api.example.com --production --key - < key.txt",
        "convexpy deployment add lab --url http://10.0.0.7:3210 --global",
    )
)
def add(
    run: Invocation,
    name: Annotated[str, Argument(help="what to call it")],
    site_url: Annotated[
        str | None, Option("--site-url", help="where its HTTP actions are, if not told by it")
    ] = None,
    production: Annotated[bool, Option("--production", help="what `deploy` and --prod mean")] = False,
    protected: Annotated[bool, Option("--protected", help="every write asks, or needs --yes")] = False,
    for_user: Annotated[bool, Option("--global", help="for all projects of this user")] = False,
    key: Annotated[str | None, Option("--key", help="its key; `-` reads it from stdin [asked for]")] = None,
) -> None:
    """Name a deployment, with --url, in convexpy.toml; its key is checked and remembered outside of the project.

    Exit codes: 0 done, 2 the name is taken, 4 nobody to ask for the key, 5 key not accepted, 6 nothing answers.
    """
    from convexpy_cli.deployments import names

    if not run.settings.url:
        raise errors.usage("where is it?", f"convexpy deployment add {name} --url https://…")
    added = names.add(
        run,
        name,
        run.settings.url,
        key if key is not None else run.settings.admin_key,
        site_url=site_url,
        production=production,
        protected=protected,
        for_user=for_user,
    )
    run.output.result(added, added["name"])


@leaf_command(examples=("convexpy deployment rename staging qa",))
def rename(
    run: Invocation,
    name: Annotated[str, Argument(help="its name")],
    new: Annotated[str, Argument(help="the new one")],
) -> None:
    """Give a deployment another name.

    Exit codes: 0 done, 2 not a name, 3 no such deployment, or the name is taken.
    """
    from convexpy_cli.deployments import names

    renamed = names.rename(run, name, new)
    run.output.result(renamed, renamed["name"])


@leaf_command(examples=("convexpy deployment remove staging",))
def remove(run: Invocation, name: Annotated[str, Argument(help="its name")]) -> None:
    """Forget the name of a deployment. The server itself is not touched.

    Exit codes: 0 done, 3 no such deployment.
    """
    from convexpy_cli.deployments import names

    removed = names.remove(run, name)
    run.output.result(removed, removed["name"])


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy deployment history -d prod",))
def history(
    run: Invocation, limit: Annotated[int, Option("--limit", help="how many, the newest first")] = 20
) -> None:
    """List what was pushed: version, when, by whom, from which commit, why.

    Exit codes: 0 done, 5 key, 6 unreachable.
    """
    from convexpy_cli.deployments import names

    if limit < 1:
        raise errors.usage("--limit is at least 1")
    with run.connected("deployment history") as (_, client):
        pushes = client.history(limit)
    columns = ["version", "pushed", "by", "commit", "message"]
    run.output.table(columns, [names.history_cells(each) for each in pushes], pushes)


@leaf_command(examples=("convexpy deployment reset local --allow=data-delete",))
def reset(
    run: Invocation,
    ref: Annotated[str, Argument(help="local: no other can be reset")],
    confirm: Annotated[
        str | None, Option("--confirm", metavar="NAME", help="its name, where nobody can type it")
    ] = None,
) -> None:
    """Delete all data of the local deployment. Its key and its ports stay.

    Exit codes: 0 done, 2 it is not local, 9 consent missing, 10 its server runs.
    """
    from convexpy_cli.deployments import names

    if ref != "local":
        raise errors.usage("only the local deployment can be reset", "convexpy deployment reset local")
    run.output.result(names.reset_local(run, confirm), "local")
