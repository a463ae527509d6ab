/*
 * A stem cell of Node.js: loads AWS's client as /var/runtime/index.mjs does, and waits to hear whose it is.
 *
 * The client begins by asking for one of some variables. Until it does, process.env is a stand-in that notices:
 * whoever asks first waits until the platform has said everything (ADR 27). Nothing of AWS's is changed, and a
 * function finds process as it would be without this file.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import v8 from "node:v8";

const MAIN = "/var/runtime/index.mjs";
// Where the versions of the client are, and what of Node.js they load; nothing else, for loading may show.
const CLIENTS = [
  ["/var/runtime/aws-lambda-ric/dist/index.mjs", "node:assert", "node:http"],
  ["/var/runtime/aws-lambda-ric/index.mjs", "node:http", "node:worker_threads"],
];
// What they ask for to begin with: version 3 where its handler is, version 4 how it is to log.
const FIRST_ASKED = new Set([
  ...["AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"],
  ...["AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER"],
]);
const MESSAGE_BYTES = 65536;

/** What standard input says until its end; the process blocks meanwhile, and uses no CPU. */
function read() {
  const buffer = Buffer.allocUnsafeSlow(MESSAGE_BYTES);
  let text = "";
  for (;;) {
    const count = fs.readSync(0, buffer);
    if (count === 0) return text.trim();
    text += buffer.latin1Slice(0, count); // the platform writes ASCII
  }
}

function replace(env, environ) {
  for (const name of Object.keys(env)) {
    if (!(name in environ)) delete env[name];
  }
  for (const [name, value] of Object.entries(environ)) {
    if (env[name] !== value) env[name] = value;
  }
}

function wait(env) {
  process.env = env;
  v8.setFlagsFromString("--lazy");
  globalThis.gc?.(); // now, and not in the middle of a function's start
  const message = read();
  if (message === "") process.exit(0);
  replace(env, JSON.parse(message).environ);
  fs.closeSync(0);
  fs.openSync("/dev/null"); // takes the lowest number, which is 0 now
  process.chdir(env.LAMBDA_TASK_ROOT);
}

// What the client loads when it starts. The addon's stand-in connects to the Runtime API.
const [client, ...builtIn] = CLIENTS.find(([path]) => fs.existsSync(path));
const require = createRequire(client);
for (const name of builtIn) require(name);
globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" }); // 1 MB of what starting has left
v8.setFlagsFromString("--no-lazy"); // from here on whole, the client and all
require("./rapid-client.node");
for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate); // connected

// What is run for the first time takes longest.
const environ = { ...process.env };
replace(process.env, { ...environ, _: "" });
replace(process.env, environ);
fs.closeSync(fs.openSync("/dev/null"));
process.chdir("/");

process.argv[1] = MAIN;
process.env = new Proxy(process.env, {
  get(env, name) {
    if (FIRST_ASKED.has(name)) wait(env);
    return env[name];
  },
});
await import(MAIN);
