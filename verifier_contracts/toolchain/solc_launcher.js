"use strict";
// Standard JSON in, standard JSON out, with npm's solc (WebAssembly).
//
// The package's own command line is not used, because it reads standard input without waiting (EAGAIN
// on a pipe), loses output beyond a pipe's 64 kB when it exits, and prints a line about SMT solvers
// before the JSON. Sources come in the request alone: there is no import callback, so what is compiled
// is exactly what was hashed.

const fs = require("fs");
const path = require("path");

const USAGE = "usage: solc --version | solc --standard-json < input.json";
// Options of the native compiler that only say where files may be read; nothing is read here.
const IGNORED_WITH_VALUE = new Set(["--allow-paths", "--base-path", "--include-path"]);
const STDIN = 0;
const STDOUT = 1;
const CHUNK_BYTES = 65536;

function fail(message) {
  fs.writeSync(2, `solc launcher: ${message}\n`);
  process.exit(1);
}

function pause() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}

function readAll(descriptor) {
  const parts = [];
  for (;;) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    try {
      const length = fs.readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (length === 0) return Buffer.concat(parts).toString("utf8");
      parts.push(chunk.subarray(0, length));
    } catch (error) {
      if (error.code === "EOF") return Buffer.concat(parts).toString("utf8");
      if (error.code !== "EAGAIN") throw error;
      pause();
    }
  }
}

function writeAll(descriptor, text) {
  const bytes = Buffer.from(text, "utf8");
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += fs.writeSync(descriptor, bytes, offset, Math.min(CHUNK_BYTES, bytes.length - offset));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      pause();
    }
  }
}

function findPackage() {
  const named = process.env.ZKML_NODE_MODULES;
  if (named) return path.join(path.resolve(named), "solc");
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "node_modules", "solc");
    if (fs.existsSync(path.join(candidate, "soljson.js"))) return candidate;
    if (folder === path.dirname(folder)) break;
  }
  return fail("found no node_modules/solc above this file; run `npm ci` or set ZKML_NODE_MODULES");
}

function loadCompiler() {
  const folder = findPackage();
  if (!fs.existsSync(path.join(folder, "soljson.js"))) fail(`found no soljson.js in ${folder}`);
  const compiler = require(folder);
  // Emscripten's handlers turn every later error into an abort with a page of source text.
  process.removeAllListeners("uncaughtException");
  process.removeAllListeners("unhandledRejection");
  return compiler;
}

function parseMode(argv) {
  let mode = null;
  for (let i = 0; i < argv.length; i += 1) {
    const name = argv[i].split("=")[0];
    if (argv[i] === "--version" || argv[i] === "--standard-json") mode = argv[i];
    else if (IGNORED_WITH_VALUE.has(name)) i += argv[i].includes("=") ? 0 : 1;
    else fail(`unknown argument ${argv[i]}; ${USAGE}`);
  }
  return mode || fail(USAGE);
}

function main() {
  if (parseMode(process.argv.slice(2)) === "--version") {
    const version = loadCompiler().version();
    writeAll(STDOUT, `solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
    return;
  }
  const input = readAll(STDIN);
  writeAll(STDOUT, `${loadCompiler().compile(input)}\n`);
}

main();
