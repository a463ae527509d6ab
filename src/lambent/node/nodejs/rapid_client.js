"use strict";
/*
 * The Runtime API's client as aws-lambda-ric wants it: next(), done(), error().
 *
 * Its own is a native addon that is built from C++ and curl when it is installed. This one stands in the addon's
 * place, so that no compiler is needed, and behaves as it does: done() and error() have sent everything when they
 * return, because the process may end right after, and nothing of it keeps the event loop alive while a handler runs.
 */
const fs = require("node:fs");
const net = require("node:net");

const API = process.env.AWS_LAMBDA_RUNTIME_API;
const ROOT = "/2018-06-01/runtime/invocation/";
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const DEFAULTS = { "lambda-runtime-trace-id": "", "lambda-runtime-invoked-function-arn": "" };
const BUFFER_BYTES = 65536;
const OPTIONAL = ["client-context", "cognito-identity", "aws-tenant-id"].map((name) => `lambda-runtime-${name}`);

const clock = new Int32Array(new SharedArrayBuffer(4));
const colon = API.lastIndexOf(":");
const NEXT = Buffer.from(`GET ${ROOT}next HTTP/1.1\r\nhost: ${API}\r\n\r\n`);

const socket = net.connect({
  host: API.slice(0, colon),
  port: Number(API.slice(colon + 1)),
  noDelay: true,
  onread: {
    buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
    callback(count, buffer) {
      take(Buffer.from(buffer.subarray(0, count))); // the buffer is used again
      deliver();
      return true;
    },
  },
});
const connected = new Promise((resolve, reject) => {
  socket.once("connect", resolve).once("error", reject);
});
connected.catch(() => {});

let pieces = [];
let expected = 0; // bytes of the message being received, once its head is there
let received = 0;
let unanswered = 0; // posts whose answers are still to come, ahead of the next event
let waiting = null;
let rehearsal = -1; // a descriptor that takes what is sent while nothing is meant

for (const end of ["error", "close"]) {
  socket.on(end, () => waiting?.reject(new Error("The Runtime API is gone")));
}

function take(data) {
  pieces.push(data);
  received += data.length;
}

/** One whole message, or undefined; what comes behind it stays. */
function message() {
  if (received < expected || received === 0) return undefined;
  const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  pieces = [all];
  const end = all.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [first, ...lines] = all.toString("utf8", 0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
  const start = end + END_OF_HEAD.length;
  expected = start + Number(headers["content-length"] ?? 0);
  if (received < expected) return undefined;
  const found = { status: Number(first.split(" ")[1]), headers, body: all.subarray(start, expected) };
  const rest = all.subarray(expected);
  pieces = rest.length ? [rest] : [];
  received = rest.length;
  expected = 0;
  return found;
}

function deliver() {
  let found;
  while ((found = message()) !== undefined) {
    if (unanswered > 0) {
      unanswered -= 1;
      continue;
    }
    const { resolve, reject } = waiting;
    waiting = null;
    socket.unref();
    if (found.status === 200) resolve(found);
    else reject(new Error(`Failed to get next invocation, error ${found.status}`));
  }
}

function patiently(work) {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(clock, 0, 0, 0.05);
    }
  }
}

function send(data) {
  const fd = rehearsal < 0 ? socket._handle.fd : rehearsal;
  for (let at = 0; at < data.length; ) {
    at += patiently(() => fs.writeSync(fd, data, at));
  }
}

function post(path, text, headers = "") {
  const length = Buffer.byteLength(text);
  const line = `POST ${ROOT}${path} HTTP/1.1\r\nhost: ${API}\r\ncontent-type: application/json\r\n`;
  const head = `${line}${headers}content-length: ${length}\r\n\r\n`;
  if (length < BUFFER_BYTES) {
    send(Buffer.from(head + text));
  } else {
    send(Buffer.from(head));
    send(Buffer.from(text));
  }
  unanswered += 1;
}

/** Reads here and now until every post is answered. */
function settle() {
  const buffer = Buffer.alloc(4096);
  while (unanswered > 0) {
    const count = patiently(() => fs.readSync(socket._handle.fd, buffer));
    if (count === 0) throw new Error("The Runtime API is gone");
    take(Buffer.from(buffer.subarray(0, count)));
    deliver();
  }
}

async function next() {
  if (socket.connecting) await connected;
  send(NEXT); // first: the platform works on it meanwhile
  const coming = new Promise((resolve, reject) => {
    waiting = { resolve, reject };
  });
  socket.ref();
  const { headers: given, body } = await coming;
  const headers = { ...DEFAULTS };
  for (const name of [...Object.keys(DEFAULTS), ...OPTIONAL]) {
    if (given[name]) headers[name] = given[name];
  }
  headers["lambda-runtime-aws-request-id"] = given["lambda-runtime-aws-request-id"];
  headers["lambda-runtime-deadline-ms"] = Number(given["lambda-runtime-deadline-ms"]);
  return { bodyJson: body.toString("utf8"), headers };
}

exports.next = next;

exports.done = (id, body) => post(`${id}/response`, body);

exports.error = (id, body, xray) => {
  let type = "";
  try {
    type = String(JSON.parse(body).errorType ?? "").replace(/[^\x20-\x7e]/g, "");
  } catch {
    // The document is the runtime's; without a type the platform has one.
  }
  const cause = xray && !/[\r\n]/.test(xray) ? Buffer.from(xray).toString("latin1") : "";
  const named = type ? `Lambda-Runtime-Function-Error-Type: ${type}\r\n` : "";
  post(`${id}/error`, body, `${named}${cause ? `Lambda-Runtime-Function-XRay-Error-Cause: ${cause}\r\n` : ""}`);
  settle();
};

/** Runs what an invocation runs, on an event that comes from nowhere: what runs for the first time takes longest. */
exports.rehearse = async () => {
  delete exports.rehearse;
  const head = [...Object.keys(DEFAULTS), "lambda-runtime-aws-request-id", "lambda-runtime-deadline-ms"]
    .map((name) => `${name}: 0\r\n`)
    .join("");
  rehearsal = fs.openSync("/dev/null", "w");
  const handle = socket._handle;
  handle?.onread?.call(handle); // as when there was nothing to read
  for (let time = 0; time < 3; time += 1) {
    const event = next();
    take(Buffer.from(`HTTP/1.1 200 OK\r\n${head}content-length: 2\r\n\r\n{}`));
    deliver();
    await event;
    post("0/response", "{}");
    unanswered = 0;
  }
  fs.closeSync(rehearsal);
  rehearsal = -1;
};
