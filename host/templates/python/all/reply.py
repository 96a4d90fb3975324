"""What a handler needs of `wasi:http` to answer: the head goes to the host at
once, the body piece by piece."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method_Delete,
    Method_Get,
    Method_Head,
    Method_Other,
    Method_Patch,
    Method_Post,
    Method_Put,
    OutgoingResponse,
    ResponseOutparam,
)

NAMES = {
    Method_Delete: "DELETE",
    Method_Get: "GET",
    Method_Head: "HEAD",
    Method_Patch: "PATCH",
    Method_Post: "POST",
    Method_Put: "PUT",
}


def run(answer: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end, in an event loop that waits for the host."""
    loop = PollLoop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(answer)


def method(request: IncomingRequest) -> str:
    """The method by its name."""
    found = request.method()
    if isinstance(found, Method_Other):
        return found.value
    return NAMES.get(type(found), "OTHER")


async def body(request: IncomingRequest, limit: int) -> bytes | None:
    """All of the body; nothing if it is longer than the limit."""
    incoming = request.consume()
    stream, read = Stream(incoming), bytearray()
    while (piece := await stream.next()) is not None:
        read += piece
        if len(read) > limit:
            # The rest is not wanted. The stream goes before its body.
            stream.stream.__exit__(None, None, None)
            IncomingBody.finish(incoming)
            return None
    return bytes(read)


async def send(out: ResponseOutparam, status: int, kind: str, content: bytes) -> None:
    """Answers with a body that is there as a whole."""
    fields = [("content-type", kind.encode()), ("content-length", str(len(content)).encode())]
    response = OutgoingResponse(Fields.from_list(fields))
    response.set_status_code(status)
    sink = Sink(response.body())
    ResponseOutparam.set(out, Ok(response))
    try:
        await sink.send(content)
        sink.close()
    except Err as error:
        # The client has gone, or has all of it already.
        if not isinstance(error.value, StreamError_Closed):
            raise
