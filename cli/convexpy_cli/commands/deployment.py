"""`convexpy deployment`."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Option

from convexpy_cli.invocation import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=("convexpy deployment show --explain", "convexpy deployment show --as-env >> .env.local")
)
def show(
    run: Invocation,
    explain: Annotated[bool, Option("--explain", help="where URL and key were found")] = False,
    as_env: Annotated[bool, Option("--as-env", help="variables for the official command line")] = False,
) -> None:
    """Show which deployment the other commands use. Contacts it only if it runs.

    Exit codes: 0 done, 3 no project, or half a target.
    """
    from convexpy_cli import showing

    target, running = showing.current(run)
    if as_env:
        showing.write_env(run, target)
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
        "protocol": showing.protocol(),
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
