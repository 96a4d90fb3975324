"""An API in JSON. Here are the routes, and how errors are told; `greeting.py`
has what is behind them.

    curl http://127.0.0.1:8080/greetings/Ada
    curl -d '{"name": "Ada", "language": "fr"}' http://127.0.0.1:8080/greetings
"""

import json
from urllib.parse import unquote

import reply
from greeting import Problem, greet
from wit_world import exports
from wit_world.imports.types import IncomingRequest, ResponseOutparam

# A body is in memory as a whole.
BODY_BYTES_MAX = 64 * 1024


class IncomingHandler(exports.IncomingHandler):
    """The export, by the name that `componentize-py` looks for."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        reply.run(answer(request, response_out))


async def answer(request: IncomingRequest, out: ResponseOutparam) -> None:
    try:
        status, body = await route(request)
    except Problem as problem:
        status, body = problem.status, {"error": str(problem)}
    await reply.send(out, status, "application/json", json.dumps(body).encode())


async def route(request: IncomingRequest) -> tuple[int, dict]:
    path = (request.path_with_query() or "/").partition("?")[0]
    match reply.method(request), [unquote(part) for part in path.split("/") if part]:
        case "GET", []:
            return 200, {"try": ["/greetings/Ada"]}
        case "GET", ["greetings", name]:
            return 200, greet({"name": name})
        case "POST", ["greetings"]:
            return 201, greet(await read(request))
        case _, [] | ["greetings"] | ["greetings", _]:
            raise Problem(405, "there is nothing here for this method")
        case _:
            raise Problem(404, "there is nothing here")


async def read(request: IncomingRequest) -> object:
    body = await reply.body(request, BODY_BYTES_MAX)
    if body is None:
        raise Problem(413, f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise Problem(400, f"the body is no JSON: {error}") from error
