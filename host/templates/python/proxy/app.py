"""Passes each request on to the server that `UPSTREAM` names, and its answer
back, piece by piece."""

import asyncio
import sys
from urllib.parse import urlsplit

import reply
from componentize_py_types import Err, Ok
from poll_loop import Sink, Stream, send
from wit_world import exports
from wit_world.imports.environment import get_environment
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    IncomingResponse,
    OutgoingRequest,
    OutgoingResponse,
    ResponseOutparam,
    Scheme_Http,
    Scheme_Https,
)

# The body of a request is read before it goes on; that of the answer is not.
BODY_BYTES_MAX = 1024 * 1024

SCHEMES = {"http": Scheme_Http(), "https": Scheme_Https()}

# Header lines that are of one connection, or are said anew.
LEFT_OUT = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "host",
}


class IncomingHandler(exports.IncomingHandler):
    """The export, by the name that `componentize-py` looks for."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        reply.run(answer(request, response_out))


async def answer(request: IncomingRequest, out: ResponseOutparam) -> None:
    body = await reply.body(request, BODY_BYTES_MAX)
    if body is None:
        await reply.send(out, 413, "text/plain", b"the body is too long\n")
        return
    upstream = dict(get_environment()).get("UPSTREAM", "")
    try:
        response = await ask(request, body, upstream)
    except Err as error:
        # The log has the reason; the client is told whose fault it is.
        print(f"no answer from {upstream}: {error.value}", file=sys.stderr)
        await reply.send(out, 502, "text/plain", b"the server behind this one did not answer\n")
        return
    await pass_back(response, out)


async def ask(request: IncomingRequest, body: bytes, upstream: str) -> IncomingResponse:
    lines = end_to_end(request.headers())
    if body:
        lines.append(("content-length", str(len(body)).encode()))
    address = urlsplit(upstream)
    outgoing = OutgoingRequest(Fields.from_list(lines))
    outgoing.set_method(request.method())
    outgoing.set_scheme(SCHEMES.get(address.scheme))
    outgoing.set_authority(address.netloc)
    outgoing.set_path_with_query(request.path_with_query())
    sink = Sink(outgoing.body())
    answering = asyncio.ensure_future(send(outgoing))
    # The loop waits for the host before it begins what is new.
    await asyncio.sleep(0)
    try:
        if body:
            await sink.send(body)
        sink.close()
    except Err:
        # Why it is not taken, the answer says.
        pass
    return await answering


async def pass_back(response: IncomingResponse, out: ResponseOutparam) -> None:
    outgoing = OutgoingResponse(Fields.from_list(end_to_end(response.headers())))
    outgoing.set_status_code(response.status())
    sink = Sink(outgoing.body())
    ResponseOutparam.set(out, Ok(outgoing))
    stream = Stream(response.consume())
    while (piece := await stream.next()) is not None:
        await sink.send(piece)
    sink.close()


def end_to_end(fields: Fields) -> list[tuple[str, bytes]]:
    """The header lines that go on (RFC 9110 7.6.1)."""
    lines = fields.entries()
    named = {
        name.strip().lower()
        for key, value in lines
        if key.lower() == "connection"
        for name in value.decode("latin-1").split(",")
    }
    return [line for line in lines if line[0].lower() not in LEFT_OUT | named]
