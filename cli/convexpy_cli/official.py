"""Flags of the official command line that have no meaning here, and what to use in their place."""

from __future__ import annotations

_ANYWHERE = {
    "--team": "there are no teams: a deployment is a server that you run",
    "--team-id": "there are no teams: a deployment is a server that you run",
    "--project-slug": "there are no hosted projects: choose a deployment with -d",
    "--preview-name": "previews are not supported: start a second server with its own data folder",
    "--partition-id": "deployments are single servers",
    "--cloud": "there is no hosted service: the local deployment is the default",
    "--local": "the local deployment is the default",
    "--local-cloud-port": "use --port",
    "--local-site-port": "use --site-port",
    "--local-force-upgrade": "state is upgraded by itself",
    "--local-backend-version": "the server is part of this package",
    "--debug-bundle-path": "functions are not bundled: they run as they are",
    "--trace-events": "use --verbose",
    "--typecheck-components": "there are no components",
    "--live-component-sources": "there are no components",
    "--component": "there are no components",
}


def advice(command: str, flag: str) -> str | None:
    """Return what to do in place of an official flag, or None if the flag is not one of them."""
    if command == "init" and flag == "--project":
        return None
    return _ANYWHERE.get(flag)
