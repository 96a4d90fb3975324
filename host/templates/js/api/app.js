// An API in JSON. Here are the routes, and how errors are told; `greeting.js`
// has what is behind them.
//
//   curl http://127.0.0.1:8080/greetings/Ada
//   curl -d '{"name": "Ada", "language": "fr"}' http://127.0.0.1:8080/greetings

import { Problem, greet } from "./greeting.js";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  try {
    const { status, body } = await route(request);
    return Response.json(body, { status });
  } catch (error) {
    if (error instanceof Problem) {
      return Response.json({ error: error.message }, { status: error.status });
    }
    // The log has the reason; the client is told no more than whose fault it is.
    console.error(error.stack ?? error);
    return Response.json({ error: "something went wrong" }, { status: 500 });
  }
}

async function route(request) {
  const segments = new URL(request.url).pathname.split("/").filter((segment) => segment !== "");
  const [collection, name] = segments.map(decodeURIComponent);
  if (segments.length > 2 || (collection !== undefined && collection !== "greetings")) {
    throw new Problem(404, "there is nothing here");
  }
  switch (`${request.method} ${segments.length}`) {
    case "GET 0":
      return { status: 200, body: { try: ["/greetings/Ada"] } };
    case "GET 2":
      return { status: 200, body: greet({ name }) };
    case "POST 1":
      return { status: 201, body: greet(await read(request)) };
    default:
      throw new Problem(405, "there is nothing here for this method");
  }
}

async function read(request) {
  const body = await request.text();
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Problem(400, `the body is no JSON: ${error.message}`);
  }
}
