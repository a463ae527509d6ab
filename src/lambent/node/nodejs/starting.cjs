/*
 * How Node.js is started for a function: as `node <AWS's flags> index.mjs` is, but sooner.
 *
 * Node.js has the code of its own modules compiled, for V8's default flags alone: with any of AWS's it compiles them
 * from their sources, 10 ms of a start. V8 has read those flags when this runs, and they are taken back until the
 * function's initialisation is over, its imports of Node.js's modules included. Threads that are started until then
 * have no `gc`, and up to Node.js 22 V8's own limits (ADR 38).
 *
 *     node <flags> starting.cjs /var/runtime/index.mjs
 */
"use strict";
const { existsSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname } = require("node:path");

/** Sets a flag of V8's. Up to Node.js 22 without `node:v8`, which would be compiled from its sources itself: 4 ms. */
const setFlag = (() => {
  const own = Object.hasOwn(process, "noDeprecation");
  if (!own) process.noDeprecation = true;
  try {
    return process.binding("v8").setFlagsFromString;
  } catch {
    return require("node:v8").setFlagsFromString;
  } finally {
    if (!own) delete process.noDeprecation;
  }
})();

// Flag → what makes it V8's default again. What they have done is done: the heap has its limits, `gc` is there.
const DEFAULTS = { "--expose-gc": "--no-expose-gc" };
if (parseInt(process.versions.node) < 24) {
  // Later ones take compiled code whatever the heap's limits are.
  DEFAULTS["--max-old-space-size"] = "--max-old-space-size=0";
  DEFAULTS["--max-semi-space-size"] = "--max-semi-space-size=0";
}
const given = process.execArgv.filter((flag) => flag.split("=")[0] in DEFAULTS);
for (const flag of given) setFlag(DEFAULTS[flag.split("=")[0]]);

const [, , main] = process.argv;
// As it would be without this file.
process.argv.splice(1, 1);
process.mainModule = undefined;

const runtime = dirname(main);
// Where the versions of AWS's client are.
const CLIENTS = [`${runtime}/aws-lambda-ric/dist/index.mjs`, `${runtime}/aws-lambda-ric/index.mjs`];

exports.main = main;
exports.client = CLIENTS.find((path) => existsSync(path));

/** What stands in the place of the client's addon: asked for the first event, it takes the flags first. */
exports.loadAddon = () => {
  const addon = createRequire(exports.client)("./rapid-client.node");
  const { next } = addon;
  addon.next = () => {
    addon.next = next;
    for (const flag of given) setFlag(flag);
    return next();
  };
  return addon;
};

/** Runs what Node.js would have been started with; what that throws is nobody's, as there. */
exports.run = () => {
  import(main).catch((error) => process.nextTick(() => { throw error; }));
};

if (require.main === module) {
  exports.loadAddon();
  exports.run();
}
