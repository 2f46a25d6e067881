"""An app that uses every part of `ctx.storage`."""

STORAGE_APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v

schema = define_schema({"files": define_table({"file": v.id("_storage"), "title": v.string()})})
""",
    "files.py": """
from pathlib import Path

from convexpy import ActionCtx, MutationCtx, QueryCtx, SyncActionCtx, action, mutation, query, v

@mutation
def upload_url(ctx: MutationCtx) -> str:
    return ctx.storage.generate_upload_url()

@query
def url(ctx: QueryCtx, id: str):
    return ctx.storage.get_url(id)

@query
def metadata(ctx: QueryCtx, id: str):
    return ctx.storage.get_metadata(id)

@query
def document(ctx: QueryCtx, id: str):
    return ctx.db.system.get(id)

@query
def documents(ctx: QueryCtx):
    return ctx.db.system.query("_storage").collect()

@query(args={"id": v.id("_storage")})
def checked(ctx, id):
    return [ctx.db.system.normalize_id("_storage", id), ctx.db.normalize_id("files", id)]

@mutation(args={"file": v.id("_storage"), "title": v.string()})
def save(ctx, file, title):
    return ctx.db.insert("files", {"file": file, "title": title})

@mutation
def delete(ctx: MutationCtx, id: str):
    ctx.storage.delete(id)
    return [ctx.storage.get_url(id), ctx.storage.get_metadata(id), ctx.db.system.get(id)]

@mutation
def delete_and_fail(ctx: MutationCtx, id: str):
    ctx.storage.delete(id)
    raise ValueError("never mind")

@mutation
def delete_and_catch(ctx: MutationCtx, id: str):
    try:
        ctx.run_mutation(delete_and_fail, id=id)
    except Exception:
        return ctx.storage.get_url(id)

@action
async def store(ctx: ActionCtx, text: str, sha256: str | None = None, content_type: str | None = "text/plain"):
    return await ctx.storage.store(text.encode(), content_type=content_type, sha256=sha256)

@action
async def store_kinds(ctx: ActionCtx, folder: str):
    import io
    path = Path(folder) / "content"
    path.write_bytes(b"content")
    async def pieces():
        yield b"con"
        yield b"tent"
    ids = []
    with path.open("rb") as file:
        for data in (b"content", bytearray(b"content"), path, file, io.BytesIO(b"content"), [b"con", b"tent"], pieces()):
            ids.append(await ctx.storage.store(data))
    assert path.exists()
    return [(await (await ctx.storage.get(id)).read()).decode() for id in ids]

@action
def store_kinds_blocking(ctx: SyncActionCtx, folder: str):
    import io
    path = Path(folder) / "content"
    path.write_bytes(b"content")
    ids = []
    with path.open("rb") as file:
        for data in (b"content", path, file, io.BytesIO(b"content"), iter([b"con", b"tent"])):
            ids.append(ctx.storage.store(data))
    return [b"".join(ctx.storage.get(id)).decode() for id in ids]

@action
async def read(ctx: ActionCtx, id: str):
    file = await ctx.storage.get(id)
    if file is None:
        return None
    text = "".join([chunk.decode() async for chunk in file])
    return [text, file.content_type, file.size, file.sha256]

@action
async def all_of(ctx: ActionCtx, id: str):
    return [await ctx.storage.get_url(id), await ctx.storage.get_metadata(id), await ctx.storage.generate_upload_url()]

@action
async def remove(ctx: ActionCtx, id: str):
    try:
        await ctx.storage.delete(id)
    except Exception as error:
        return [type(error).__name__, getattr(error, "code", None), str(error)]

@action
async def store_large(ctx: ActionCtx, mib: int):
    async def pieces():
        for _ in range(mib):
            yield bytes(2**20)
    return await ctx.storage.store(pieces(), content_type="application/octet-stream")

@action
async def read_large(ctx: ActionCtx, id: str) -> int:
    file = await ctx.storage.get(id)
    return sum([len(chunk) async for chunk in file])

@action
async def fails_midway(ctx: ActionCtx):
    async def pieces():
        yield b"x" * 100_000
        raise ValueError("the source broke")
    await ctx.storage.store(pieces())
""",
    "http.py": """
from convexpy import http_router
from starlette.responses import Response

http = http_router()

@http.route("/put", method="POST")
async def put(ctx, request):
    id = await ctx.storage.store(await request.body(), content_type=request.headers.get("content-type"))
    return Response(id)

@http.route("/get", method="GET")
async def get(ctx, request):
    file = await ctx.storage.get(request.query_params["id"])
    return Response(await file.read(), media_type=file.content_type) if file else Response(status_code=404)
""",
}
