/*
 * A stem cell of Node.js: loads AWS's client as /var/runtime/index.mjs does, and waits to hear whose it is.
 *
 * The client begins by asking for one of some variables. Until it does, process.env is a stand-in that notices:
 * whoever asks first waits until the platform has said everything (ADR 27). Nothing of AWS's is changed, and a
 * function finds process as it would be without this file.
 */
"use strict";
const fs = require("node:fs");
const v8 = require("node:v8");
const { client, loadAddon, run } = require("./starting.cjs");

// What of Node.js the versions of the client load; nothing else, for loading may show.
const BUILT_IN = client.includes("/dist/") ? ["node:assert", "node:http"] : ["node:http", "node:worker_threads"];
// What they ask for to begin with: version 3 where its handler is, version 4 how it is to log.
const FIRST_ASKED = new Set([
  ...["AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"],
  ...["AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER"],
]);
const MESSAGE_BYTES = 65536;

function replace(env, environ) {
  for (const name of Object.keys(env)) {
    if (!(name in environ)) delete env[name];
  }
  for (const [name, value] of Object.entries(environ)) {
    if (env[name] !== value) env[name] = value;
  }
}

/** The document that standard input has brought so far; undefined while it is not whole. */
function parse(text) {
  if (!text.endsWith("}")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads standard input until its end; the process blocks meanwhile, and uses no CPU. The variables are set as soon
 * as they are known: the platform still mounts the code then. False where nothing was said.
 */
function hear(env) {
  const buffer = Buffer.allocUnsafeSlow(MESSAGE_BYTES);
  let text = "";
  let message;
  for (;;) {
    const count = fs.readSync(0, buffer);
    if (count === 0) return message !== undefined;
    text = (text + buffer.latin1Slice(0, count)).trimStart(); // the platform writes ASCII
    message = parse(text);
    if (message !== undefined) replace(env, message.environ);
  }
}

/** Gives back what starting has left, half a megabyte and more; what was compiled stays. */
function collect() {
  v8.setFlagsFromString("--no-flush-bytecode");
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  v8.setFlagsFromString("--flush-bytecode");
}

function wait(env) {
  process.env = env;
  v8.setFlagsFromString("--lazy");
  collect(); // now, and not in the middle of a function's start
  if (!hear(env)) process.exit(0);
  fs.closeSync(0);
  fs.openSync("/dev/null"); // takes the lowest number, which is 0 now
  process.chdir(env.LAMBDA_TASK_ROOT);
}

/** What is run for the first time takes longest. */
async function rehearse(addon) {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate); // connected
  await addon.rehearse?.();
  const environ = { ...process.env };
  replace(process.env, { ...environ, _: "" });
  replace(process.env, environ);
  parse('{"environ": {}}');
  fs.closeSync(fs.openSync("/dev/null"));
  process.chdir("/");
}

async function start() {
  for (const name of BUILT_IN) require(name);
  v8.setFlagsFromString("--no-lazy"); // from here on whole, the client and all
  await rehearse(loadAddon()); // it connects to the Runtime API
  process.env = new Proxy(process.env, {
    get(env, name) {
      if (FIRST_ASKED.has(name)) wait(env);
      return env[name];
    },
  });
  run();
}

start();
