"""A handler in Python, for the standard `wasi:http`: `componentize-py` makes
the types of `wit_world` from `wit`, and brings an event loop, `poll_loop`, in
which a handler waits for the client and the client for nothing else."""

import asyncio
import json

from componentize_py_types import Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    """The export, by the name that `componentize-py` looks for."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(answer(request, response_out))


async def answer(request: IncomingRequest, response_out: ResponseOutparam) -> None:
    method = request.method()
    path, _, query = (request.path_with_query() or "/").partition("?")
    if isinstance(method, Method_Get) and path == "/":
        await send(response_out, 200, "text/plain", b"hello from Python\n")
    elif isinstance(method, Method_Get) and path == "/json":
        body = json.dumps({"path": path, "query": query}).encode()
        await send(response_out, 200, "application/json", body)
    elif isinstance(method, Method_Post) and path == "/echo":
        await echo(request, response_out)
    else:
        await send(response_out, 404, "text/plain", b"there is nothing here\n")


async def send(response_out: ResponseOutparam, status: int, kind: str, body: bytes) -> None:
    """Answers with all of a body."""
    length = ("content-length", str(len(body)).encode())
    sink = begin(response_out, status, [("content-type", kind.encode()), length])
    await sink.send(body)
    sink.close()


async def echo(request: IncomingRequest, response_out: ResponseOutparam) -> None:
    """Sends each piece of the body back as it comes."""
    sink = begin(response_out, 200, [("content-type", b"application/octet-stream")])
    stream = Stream(request.consume())
    while (piece := await stream.next()) is not None:
        await sink.send(piece)
    sink.close()


def begin(response_out: ResponseOutparam, status: int, fields: list[tuple[str, bytes]]) -> Sink:
    """Gives the head to the host, which sends it with what follows."""
    response = OutgoingResponse(Fields.from_list(fields))
    response.set_status_code(status)
    body: OutgoingBody = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    return Sink(body)
