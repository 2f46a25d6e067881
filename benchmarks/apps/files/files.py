"""Uploads and downloads, and nothing else."""

from convexpy import MutationCtx, QueryCtx, mutation, query


@mutation
def upload_url(ctx: MutationCtx) -> str:
    return ctx.storage.generate_upload_url()


@query
def url(ctx: QueryCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)


@mutation
def delete(ctx: MutationCtx, id: str) -> None:
    ctx.storage.delete(id)
