// Runs a script against our sources in a process of its own: `node run-source.mjs "<script>"`, where the script calls
// `await load("src/some/file.ts")`.
import { fileURLToPath } from "node:url";
import { createServer, loadConfigFromFile } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { config } = await loadConfigFromFile({ command: "serve", mode: "test" }, "vitest.config.ts", root);
const { resolve, plugins } = config.test.projects.find((project) => project.test.name === "node");
const server = await createServer({
  configFile: false,
  root,
  resolve,
  plugins,
  logLevel: "error",
  optimizeDeps: { noDiscovery: true, include: [] },
  server: { middlewareMode: true, ws: false, watch: null },
});

const AsyncFunction = (async () => {}).constructor;
try {
  await new AsyncFunction("load", process.argv[2])((path) => server.ssrLoadModule(path));
} catch (error) {
  const { LlavaError } = await server.ssrLoadModule("errors/index.ts");
  // A mistake of the user's: one line says what to do. Everything else is ours, and wants its stack.
  if (!(error instanceof LlavaError) && !String(error?.code).startsWith("ERR_PARSE_ARGS")) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
await server.close();
