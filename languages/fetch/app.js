// A handler in JavaScript, as service workers have it: each request is a fetch
// event, and what it is answered with is a Response.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (`${request.method} ${url.pathname}`) {
    case "GET /":
      return text("hello from JavaScript\n");
    case "GET /json":
      return Response.json({ path: url.pathname, query: Object.fromEntries(url.searchParams) });
    case "POST /echo":
      return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    case "GET /stream":
      return new Response(countdown(3), { headers: { "content-type": "text/plain" } });
    case "GET /relay":
      return relay(url.searchParams.get("url"));
    default:
      return text("there is nothing here\n", 404);
  }
}

function text(body, status = 200) {
  return new Response(body, { status, headers: { "content-type": "text/plain" } });
}

// Each line is on the wire before the next one is made.
function countdown(from) {
  const encoder = new TextEncoder();
  let left = from;
  return new ReadableStream({
    async pull(controller) {
      if (left === 0) {
        controller.close();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.enqueue(encoder.encode(`${left}\n`));
      left -= 1;
    },
  });
}

// Where it may ask is the operator's choice: `--outbound`.
async function relay(url) {
  if (url === null) {
    return text("say which: /relay?url=http://...\n", 400);
  }
  try {
    const response = await fetch(url);
    return new Response(response.body, { status: response.status });
  } catch (error) {
    return text(`${error.message}\n`, 502);
  }
}
