"""What HTTP actions use of Starlette."""

from starlette.requests import Request as Request
from starlette.responses import (
    JSONResponse as JSONResponse,
    PlainTextResponse as PlainTextResponse,
    RedirectResponse as RedirectResponse,
    Response as Response,
    StreamingResponse as StreamingResponse,
)
