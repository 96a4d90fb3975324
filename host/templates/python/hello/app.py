"""Greets whoever asks: `curl http://127.0.0.1:8080/Ada`."""

from urllib.parse import unquote

import reply
from wit_world import exports
from wit_world.imports.types import IncomingRequest, ResponseOutparam


class IncomingHandler(exports.IncomingHandler):
    """The export, by the name that `componentize-py` looks for."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        reply.run(answer(request, response_out))


async def answer(request: IncomingRequest, out: ResponseOutparam) -> None:
    path = (request.path_with_query() or "/").partition("?")[0]
    name = unquote(path.removeprefix("/")) or "world"
    await reply.send(out, 200, "text/plain; charset=utf-8", f"Hello, {name}!\n".encode())
