// An Express app. The host calls `start` once for each instance; what `listen`
// is given as the port is for Node only, for the host has the sockets.

export async function start(port) {
  // Imported here and not above, because Express looks for a terminal when it
  // is loaded, and while the component is built there is nobody to ask.
  const { default: express } = await import("express");
  const { default: http } = await import("node:http");

  const app = express();
  app.use(express.json());

  app.get("/", (_request, response) => {
    response.type("text").send("hello from Express\n");
  });

  app.get("/users/:id", (request, response) => {
    response.json({ id: request.params.id, query: request.query });
  });

  app.post("/echo", (request, response) => {
    response.status(201).json(request.body);
  });

  app.get("/relay", (request, response, next) => {
    http
      .get(request.query.url, (upstream) => {
        response.status(upstream.statusCode);
        upstream.pipe(response);
      })
      .on("error", next);
  });

  // Four parameters make it the handler of errors.
  app.use((error, _request, response, _next) => {
    console.error(error.message);
    response.status(error.status ?? 502).json({ error: error.message });
  });

  return new Promise((resolve, reject) => {
    const server = app.listen(port, (error) => (error ? reject(error) : resolve(server.address().port)));
  });
}
