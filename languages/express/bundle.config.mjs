// What jco's bundler takes in place of two modules that Express asks for.

import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const REPLACED = {
  // Express asks it only whether a text is an address, and with jco's own the
  // component cannot be put together.
  net: here("net.js"),
  "node:net": here("net.js"),
  // For Node it wants a terminal and warnings of the process; that for
  // browsers wants a console.
  debug: here("node_modules/debug/src/browser.js"),
};

export default {
  plugins: [{ name: "replaced", resolveId: (id) => REPLACED[id] ?? null }],
};
