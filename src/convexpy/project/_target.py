"""Choosing the deployment that a command is about.

The first source that names one wins: flags, `--env-file`, the environment, `.env.local`, `.env`, the
configuration, `local`. A deploy does not look at what was chosen for development: after the environment comes the
deployment that is marked production. Without a project there are flags, the environment and the user's own files.
A URL and its key always come from the same source, so that a key is never sent to somebody else's URL; a URL without a
key may use the one remembered for exactly its origin.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from convexpy.errors import ProjectError
from convexpy.project._config import Config, NamedDeployment
from convexpy.project._credentials import stored_entries, stored_key, user_folder, user_remotes
from convexpy.project._env_file import read_env_file
from convexpy.project._locate import Project

LOCAL = "local"
PREVIEW_PREFIX = "preview/"
"""The name of a preview: `preview/NAME`. Its key is stored by the deploy that made it."""

_FAMILIES = (
    ("CONVEXPY_URL", "CONVEXPY_DEPLOY_KEY"),
    ("CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"),
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A deployment, and where each part of the choice came from.

    For the local deployment `url` is empty until its server runs.
    """

    name: str
    kind: Literal["local", "remote"]
    url: str = ""
    admin_key: str | None = None
    site_url: str | None = None
    production: bool = False
    protected: bool = False
    named: bool = False
    """Whether a configuration knows it, and so whether it is production."""
    url_source: str = ""
    key_source: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class TargetRequest:
    """What the command line and the process say about the target."""

    deployment: str | None = None
    url: str | None = None
    admin_key: str | None = None
    env_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    user_folder: Path | None = None
    deploying: bool = False
    """Ignore what was selected for development: go to production unless something explicit says otherwise."""


def resolve_target(project: Project | None, request: TargetRequest) -> Target:
    """Return the deployment that `request` means in `project`, or without one.

    Raises:
        ProjectError: `TargetIncomplete` (half a pair), `TargetUnknown` (no such name), `ConfigInvalid`.
    """
    return _Resolver(project, request).resolve()


class _Resolver:
    def __init__(self, project: Project | None, request: TargetRequest) -> None:
        self._project = project
        self._config = Config() if project is None else project.config
        self._request = request
        self._notes: list[str] = []

    def resolve(self) -> Target:
        found = self._from_flags()
        if found is None:
            for source, variables in self._variable_sources():
                found = self._from_variables(
                    source, {name: value for name, value in variables.items() if value}
                )
                if found is not None:
                    break
        if found is None:
            found = self._production_target() if self._request.deploying else self._configured()
        return replace(found, notes=tuple(self._notes))

    def _configured(self) -> Target:
        file, name = self._config.file, self._config.default_deployment
        return self._named(name, file.name if file and name != LOCAL else "built-in default")

    def _production_target(self) -> Target:
        deployment = self._production()
        if deployment is not None:
            return self._named(deployment.name, "production = true")
        raise ProjectError(
            "nothing says where to deploy to: no deployment is marked production",
            code="TargetIncomplete",
            hint="CONVEXPY_URL and CONVEXPY_DEPLOY_KEY, or convexpy deployment add prod --url URL --production",
        )

    def _from_flags(self) -> Target | None:
        request = self._request
        if request.url:
            return self._pair(request.url, request.admin_key, "flag --url", "flag --admin-key", "--admin-key")
        if request.deployment:
            found = self._named(request.deployment, "flag --deployment")
            if request.admin_key:
                raise _incomplete("--admin-key is given without --url", "--url URL")
            return found
        if request.admin_key:
            raise _incomplete("--admin-key is given without --url", "--url URL")
        return None

    def _variable_sources(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        if self._request.env_file is not None:
            if not self._request.env_file.is_file():
                raise ProjectError(f"--env-file {self._request.env_file}: no such file", code="ConfigInvalid")
            yield str(self._request.env_file), read_env_file(self._request.env_file)
        yield "environment", self._request.environment
        if self._project is None or self._request.deploying:
            return
        for file in self._project.env_files():
            yield file.name, read_env_file(file)

    def _from_variables(self, source: str, variables: Mapping[str, str]) -> Target | None:
        pairs = [(url, key) for url, key in _FAMILIES if variables.get(url) or variables.get(key)]
        if len(pairs) == 2 and any(variables.get(a) != variables.get(b) for a, b in zip(*pairs, strict=True)):
            self._notes.append(
                f"{source} sets both CONVEXPY_URL and CONVEX_SELF_HOSTED_URL: the first is used"
            )
        if pairs:
            url_name, key_name = pairs[0]
            url = variables.get(url_name)
            if not url:
                raise _incomplete(f"{key_name} is set in {source}, {url_name} is missing there", url_name)
            key = variables.get(key_name)
            if not key and variables.get("CONVEX_DEPLOY_KEY"):
                key, key_name = variables["CONVEX_DEPLOY_KEY"], "CONVEX_DEPLOY_KEY"
            return self._pair(url, key, f"{url_name} in {source}", f"{key_name} in {source}", key_name)
        name = variables.get("CONVEXPY_DEPLOYMENT")
        if name:
            return self._named(name, f"CONVEXPY_DEPLOYMENT in {source}")
        return self._official_name(variables.get("CONVEX_DEPLOYMENT"), source)

    def _official_name(self, name: str | None, source: str) -> Target | None:
        if not name:
            return None
        if name.startswith(("local:", "anonymous:")):
            return self._named(LOCAL, f"CONVEX_DEPLOYMENT in {source}")
        self._notes.append(f"CONVEX_DEPLOYMENT={name} in {source} names a hosted deployment and is ignored")
        return None

    def _pair(self, url: str, key: str | None, url_source: str, key_source: str, key_name: str) -> Target:
        url = _checked_url(url, url_source)
        if not key:
            key, key_source = stored_key(url, self._request.user_folder), "credentials file"
        if not key:
            raise _incomplete(f"the URL is set ({url_source}), its key is missing there", key_name)
        known = next((d for d in self._deployments().values() if d.url == url), None)
        return _remote(
            known or NamedDeployment(url, url), url, key, url_source, key_source, named=known is not None
        )

    def _named(self, name: str, source: str) -> Target:
        if name == LOCAL:
            return Target(name=LOCAL, kind="local", url_source=source, key_source="keys.json")
        if name.startswith(("http://", "https://")):
            return self._pair(
                name, None, source, "", "CONVEXPY_URL and CONVEXPY_DEPLOY_KEY, or --url and --admin-key"
            )
        if name.startswith(PREVIEW_PREFIX):
            return self._preview(name, source)
        deployment = self._deployments().get(name) or (self._production() if name == "prod" else None)
        if deployment is None:
            raise self._unknown(name, source)
        url = _checked_url(deployment.url, source)
        key = stored_key(url, self._request.user_folder)
        return _remote(deployment, url, key, f"{source} ({deployment.name})", "credentials file", named=True)

    def _preview(self, name: str, source: str) -> Target:
        entries = stored_entries(self._request.user_folder)
        known = [origin for origin, entry in entries.items() if entry.get("name") == name]
        if not known:
            raise ProjectError(
                f'the key of "{name}" is not stored here ({source})',
                code="TargetUnknown",
                hint=f"convexpy deploy --preview {name.removeprefix(PREVIEW_PREFIX)}",
            )
        newest = max(known, key=lambda origin: entries[origin].get("added") or 0)
        return _remote(
            NamedDeployment(name, newest),
            newest,
            stored_key(newest, self._request.user_folder),
            source,
            "credentials file",
            named=True,
        )

    def _deployments(self) -> dict[str, NamedDeployment]:
        remotes = user_remotes(self._request.user_folder)
        own = {
            name: NamedDeployment(
                name,
                str(entry["url"]).rstrip("/"),
                entry.get("site-url"),
                entry.get("production") is True,
                entry.get("protected") is True,
            )
            for name, entry in remotes.items()
        }
        return {**own, **self._config.deployments}

    def _production(self) -> NamedDeployment | None:
        return next((found for found in self._deployments().values() if found.production), None)

    def _unknown(self, name: str, source: str) -> ProjectError:
        known = [LOCAL, *self._deployments()]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        return ProjectError(f'no deployment called "{name}" ({source})', code="TargetUnknown", hint=hint)


def _remote(
    deployment: NamedDeployment, url: str, key: str | None, url_source: str, key_source: str, *, named: bool
) -> Target:
    return Target(
        name=deployment.name,
        kind="remote",
        named=named,
        url=url,
        admin_key=key,
        site_url=deployment.site_url,
        production=deployment.production,
        protected=deployment.protected,
        url_source=url_source,
        key_source=key_source,
    )


def _checked_url(url: str, source: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ProjectError(f"{url!r} is not an http(s) URL ({source})", code="ConfigInvalid")
    if "@" in urlsplit(url).netloc:
        # Nothing would use them, and a URL is shown in many places.
        raise ProjectError(
            f"the URL holds a user name or a password ({source})",
            code="ConfigInvalid",
            hint="the URL alone: what lets you in is the admin key",
        )
    return url.rstrip("/")


def _incomplete(message: str, missing: str) -> ProjectError:
    return ProjectError(
        message,
        code="TargetIncomplete",
        hint=f"set {missing}",
        data={"credentials": str(user_folder() / "credentials.toml")},
    )
