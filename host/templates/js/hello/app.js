// Greets whoever asks: `curl http://127.0.0.1:8080/Ada`.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const name = new URL(request.url).pathname.slice(1) || "world";
  return new Response(`Hello, ${decodeURIComponent(name)}!\n`, {
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}
