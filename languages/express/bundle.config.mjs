// Tells jco's bundler where `node:net` is: Express asks it only whether a text
// is an address, and with jco's own the component cannot be put together.

import { fileURLToPath } from "node:url";

const net = fileURLToPath(new URL("net.js", import.meta.url));

export default {
  plugins: [
    {
      name: "net-without-sockets",
      resolveId: (id) => (id === "net" || id === "node:net" ? net : null),
    },
  ],
};
