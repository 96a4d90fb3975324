// Passes each request on to the server that `UPSTREAM` names, and its answer
// back, piece by piece.

import { getEnvironment } from "wasi:cli/environment@0.2.10";

// Header lines that are of one connection, or are said anew.
const LEFT_OUT = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
  "host",
]);

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const upstream = new Map(getEnvironment()).get("UPSTREAM");
  try {
    const { status, headers, body } = await ask(request, upstream);
    return new Response(body, { status, headers: endToEnd(headers) });
  } catch (error) {
    // The log has the reason; the client is told whose fault it is.
    console.error(`no answer from ${upstream}: ${error.message}`);
    return new Response("the server behind this one did not answer\n", {
      status: 502,
      headers: { "content-type": "text/plain" },
    });
  }
}

function ask({ method, url, headers, body }, upstream) {
  const { pathname, search } = new URL(url);
  // A body goes on as it comes.
  return fetch(new URL(pathname + search, upstream), {
    method,
    headers: endToEnd(headers),
    ...(body !== null && { body, duplex: "half" }),
  });
}

// The header lines that go on (RFC 9110 7.6.1).
function endToEnd(headers) {
  const named = (headers.get("connection") ?? "").toLowerCase().split(",");
  const leftOut = new Set([...LEFT_OUT, ...named.map((name) => name.trim())]);
  return new Headers([...headers].filter(([name]) => !leftOut.has(name)));
}
