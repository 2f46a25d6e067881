"""Routes of the examples in the Python reference."""

from collections.abc import AsyncIterator

from convexpy import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Request,
    Response,
    StreamingResponse,
    api,
    http_router,
)

from ._generated.server import ActionCtx

# example: http_router HttpRouter Request Response JSONResponse
http = http_router()
http.cors("/notes", origins=["https://app.example.com"])


@http.route("/notes", method="POST")
async def add(ctx: ActionCtx, request: Request) -> Response:
    """Add a note."""
    sent = await request.json()
    note = await ctx.run_mutation(api.notes.add, owner=sent["owner"], text=sent["text"])
    return JSONResponse({"id": note}, status_code=201)
# end


# example: PlainTextResponse
@http.route("/robots.txt", method="GET")
async def robots(ctx: ActionCtx, request: Request) -> Response:
    """Text."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
# end


# example: RedirectResponse
@http.route(path_prefix="/old/", method="GET")
async def moved(ctx: ActionCtx, request: Request) -> Response:
    """Send a browser elsewhere."""
    return RedirectResponse(request.url.path.replace("/old/", "/"), status_code=308)
# end


# example: StreamingResponse
@http.route("/export", method="GET")
async def export(ctx: ActionCtx, request: Request) -> Response:
    """Send what takes long to put together as it comes."""

    async def lines() -> AsyncIterator[str]:
        for text in await ctx.run_query(api.notes.of_owner, owner=request.query_params["owner"]):
            yield f"{text}\n"

    return StreamingResponse(lines(), media_type="text/plain")
# end
