// `npm start`: builds if need be, then asks the model of the package about one of its sample pictures.
// `npm start -- --image my.png --prompt "What colour is it?"` asks about your own; all options of `llava run` go.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist/cli.js");
const sources = [
  "errors", "kernels", "tokenizer", "weights", "src", "package.json", "tsconfig.json", "vite.config.ts", "wgsl.d.ts",
];

/** When anything under `path` last changed; a folder's own time tells of files that were removed. */
function changed(path) {
  const stats = statSync(path);
  const inside = stats.isDirectory() ? readdirSync(path).map((name) => changed(join(path, name))) : [];
  return Math.max(stats.mtimeMs, ...inside);
}

function build() {
  console.error("Building (a few seconds, once) ...");
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const { status, error } = spawnSync(process.execPath, [vite, "build", "--mode", "start", "--logLevel", "error"], { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  console.error(`The build failed${error ? ` (${error.message})` : ""}; has npm ci been run?`);
  process.exit(1);
}

if (!existsSync(cli) || Math.max(...sources.map((path) => changed(join(root, path)))) > statSync(cli).mtimeMs) build();

// npm runs this in the package's folder; paths are meant from where the user stands.
process.chdir(process.env.INIT_CWD ?? process.cwd());
const given = process.argv.slice(2);
const has = (...options) => given.some((word) => options.includes(word.split("=")[0]));
const words = ["run", ...given];
if (!has("--messages", "--help", "-h")) {
  if (!has("--image", "--video")) words.push("--image", join(root, "models/emoji-llava/samples/apple.png"));
  if (!has("--prompt")) words.push("--prompt", "Describe the picture.");
}
console.error(`> llava ${words.map((word) => (/^[\w./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ")}\n`);
// In this process, so that Ctrl-C reaches the command and nothing else.
process.argv = [process.execPath, cli, ...words];
await import("../dist/cli.js");
