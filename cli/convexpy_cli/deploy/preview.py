"""Previews: a deploy goes to a deployment of its own beside the target, with a copy of its data if that is asked for."""

from __future__ import annotations

import hashlib
import re
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from convexpy.client import AdminClient, TransferClient
from convexpy.printable import counted
from convexpy.project import PREVIEW_PREFIX, Target
from convexpy.protocol.admin_api import ClaimedPreview
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deploy.options import DeployOptions
from convexpy_cli.deploy.surroundings import current_actor
from convexpy_cli.deployments import names
from convexpy_cli.output.settings import flag_from_environment
from convexpy_cli.output.units import local_time, span_s
from convexpy_cli.transfers import exports, imports

NAME_LENGTH_MAX = 40
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def preview_name(text: str) -> str:
    """Return the name of the preview of a branch: lower-case letters, digits and -; a long one ends in a hash.

    Raises:
        Failure: nothing is left of it.
    """
    name = _NOT_IN_NAMES.sub("-", text.lower()).strip("-")
    if not name:
        raise errors.usage(f"--preview {text!r} has no letter and no digit", "--preview pr-7")
    if len(name) > NAME_LENGTH_MAX:
        digest = hashlib.sha256(text.encode()).hexdigest()[:6]
        name = f"{name[: NAME_LENGTH_MAX - 7].rstrip('-')}-{digest}"
    return name


def check_options(options: DeployOptions) -> None:
    """Refuse what makes no sense with or without `--preview`.

    Raises:
        Failure: it was given.
    """
    of_previews = {
        "--preview-expires": options.preview_expires is not None,
        "--preview-data": options.preview_data,
        "--preview-env": options.preview_env,
    }
    if not options.previews:
        for flag, given in of_previews.items():
            if given:
                raise errors.usage(f"{flag} without --preview", f"convexpy deploy --preview NAME {flag}")
        return
    if options.preview is not None and options.preview_create is not None:
        raise errors.usage("--preview and --preview-create cannot be combined", "--preview-create NAME")
    if options.rollback or options.dry_run:
        flag = "--rollback" if options.rollback else "--dry-run"
        raise errors.usage(
            f"{flag} cannot be combined with --preview", "a preview is what to try a deploy on"
        )


class PreviewOfTarget:
    """The preview of a deploy, beside the deployment that is its target."""

    def __init__(self, ctx: Context, options: DeployOptions, target: Target, client: AdminClient) -> None:
        self._ctx = ctx
        self._options = options
        self._beside = target
        self._client = client

    def claim(self) -> Target:
        """Return the preview as a target: made and filled now if there is none, else the one there is.

        Raises:
            DeploymentError: the server hosts none (`PreviewsUnsupported`), or does not let this key make one.
        """
        ctx, options = self._ctx, self._options
        asked = options.preview_create or options.preview or ""
        name = preview_name(asked)
        if name != asked:
            ctx.output.note(f"the preview is called {name}")
        with ctx.output.working(f"starting preview {name}"):
            claimed = self._client.claim_preview(
                name,
                actor=options.actor or current_actor(ctx.project.root),
                expires_s=None if options.preview_expires is None else span_s(options.preview_expires),
                recreate=options.preview_create is not None,
            )
        until = local_time(claimed.expires_at)
        ctx.output.step("ok", f"preview {name} {'is made' if claimed.created else 'goes on'}, until {until}")
        target = replace(
            self._beside,
            name=f"{PREVIEW_PREFIX}{name}",
            kind="remote",
            url=claimed.url,
            site_url=claimed.site_url,
            admin_key=claimed.admin_key,
            production=False,
            protected=False,
            named=True,
        )
        self._fill(claimed, target)
        if not flag_from_environment("CI"):
            names.remember(claimed.url, claimed.admin_key, target.name)
        return target

    def _fill(self, claimed: ClaimedPreview, target: Target) -> None:
        """Copy variables and data to a new preview; one that cannot be filled is removed again."""
        wanted = self._options.preview_data or self._options.preview_env
        if not wanted:
            return
        if not claimed.created:
            self._ctx.output.note(
                "data and variables are copied to a new preview only: --preview-create makes it again"
            )
            return
        try:
            if self._options.preview_env:
                self._copy_variables(target)
            if self._options.preview_data:
                self._copy_data(target)
        except BaseException:
            self._client.remove_preview(claimed.name)
            raise

    def _copy_variables(self, target: Target) -> None:
        variables = self._client.environment()
        with closing(self._ctx.client(target)) as client:
            client.update_environment(variables)
        self._ctx.output.step("ok", f"copied {counted(len(variables), 'variable')} from {self._beside.name}")

    def _copy_data(self, target: Target) -> None:
        ctx = self._ctx
        with tempfile.TemporaryDirectory(prefix="convexpy-preview-") as folder:
            archive = Path(folder) / "snapshot.zip"
            source = TransferClient(self._client)
            exports.fetch(ctx, source, exports.make(ctx, source, include_storage=True), archive)
            with closing(self._ctx.client(target)) as client:
                order = imports.ImportOrder(file=str(archive))
                imported = imports.run_import(ctx, TransferClient(client), order, order.to_json())
        ctx.output.step("ok", f"copied {counted(imported['documents'], 'document')} from {self._beside.name}")
