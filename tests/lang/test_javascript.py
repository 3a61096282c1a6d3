"""JavaScript programs do what they do with `node FILE`. The tests run with the plug-in, if it was built, and with a
prestarted Node."""

import os
import re
import unittest
from dataclasses import replace

from lib.case import Case, ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of
from lib.planted import planted_tests
from lib.server import BUILD

# The server prefers the plug-in if it was built. Then the tests load the language file under
# another name, too: this language is prestarted.
FORKED = (BUILD / "hatchery-lang-javascript.so").exists()
MEMORY_MIB = 256 if FORKED else 512  # the language file of the prestarted Node sets a limit of its own
CONFIG = "client_share = 100\nlanguage javascript { warm = 2 running = 2 }\n"
if FORKED:
    CONFIG = "client_share = 100\nlanguage javascript { warm = 2 running = 2 preload = { zlib, no-such-module } }\n"
    CONF = (BUILD / "share/hatchery/lang/javascript.conf").read_text()
    CONFIG += "language node-prestarted { warm = 2 running = 2 }\n" + re.sub(r"^\s*aliases.*\n", "", CONF, flags=re.M).replace(
        "runtime javascript", "runtime node-prestarted")

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000}  # another memory limit may need a fresh Node
MODULE = {"files": {"package.json": '{"type": "module"}'}}

SEMANTICS = {
    "hello": 'console.log("Hello, World!")\n',
    "stdin to its end": ('const t = require("fs").readFileSync(0, "utf8"); process.stdout.write(t.toUpperCase())\n',
                         {"stdin": "some\nlines\nand no end"}),
    "stdin by line": ('const rl = require("readline").createInterface({ input: process.stdin });\n'
                      'let n = 0; rl.on("line", (l) => console.log(++n, l)).on("close", () => console.log("end"))\n',
                      {"stdin": "one\n two \nthree\\n\nfour"}),
    "args": ('console.log(process.argv.length, process.argv.slice(1))\n',
             {"args": ["", "a b", "žluťoučký", "-x", "--", "--inspect", "--version"]}),
    "env": ('console.log(process.env.GREETING, process.env.USER, process.env.HATCHERY_JOB)\n',
            {"env": {"GREETING": "good day = 1"}}),
    "several files": ('const { greet } = require("./lib/greet"); console.log(greet("you"), require("./data.json").x)\n'
                      'console.log(require("./dir"), module.children.length, Object.keys(require.cache).length)\n',
                      {"files": {"lib/greet.js": 'exports.greet = (w) => `hi ${w} from ${__filename} ${require.main === module}`\n',
                                 "data.json": '{"x": 7}', "dir/index.js": "module.exports = __dirname\n"}}),
    "exit code": "process.exit(3)\n",
    "uncaught error": 'console.log("begin")\nfunction f() {\n  throw new TypeError("no")\n}\nf()\n',
    "syntax error": 'console.log("a")\nif (1 {\n}\n',
    "death by signal": 'process.kill(process.pid, "SIGTERM"); setTimeout(() => console.log("never"), 10000)\n',
    "exit hook": 'process.on("exit", (c) => console.log("bye", c)); process.on("beforeExit", () => console.log("before"))\n'
                 'process.exitCode = 4; console.log("work")\n',
    "buffered output": 'process.stdout.write("no-newline")\n',
    "binary output": "process.stdout.write(Buffer.from(Array.from({ length: 256 }, (_, i) => i)))\n",
    "utf-8 output": 'const s = "Grüße, 世界 🐣"; console.log(s, s.length, [...s].length)\n',
    "unread stdin": ('console.log("done")\n', {"stdin": "x" * 200_000}),
    "pending work": 'setTimeout(() => console.log("late"), 500); setImmediate(() => console.log("soon"));\n'
                    'process.nextTick(() => console.log("tick")); Promise.resolve().then(() => console.log("job"));\n'
                    'setInterval(() => {}, 1000).unref(); console.log("end")\n',
    "own source": 'console.log(__filename, __dirname, require("fs").readFileSync(__filename, "utf8").split("\\n")[1])\n// line 2\n',
    "subprocess": 'const { spawnSync } = require("child_process"); const r = spawnSync("sh", ["-c", "echo inner; exit 7"]);\n'
                  'console.log(r.stdout.toString(), r.status)\n',
    "stderr": 'console.log("out"); console.error("err")\n',
}

MORE = {
    "UV_THREADPOOL_SIZE": ("const { readdirSync } = require('fs'), { pbkdf2 } = require('crypto')\nconst n = () => readdirSync('/proc/self/task').length\n"
                           "const before = n()\npbkdf2('a', 'b', 1, 8, 'sha1', () => console.log(n() - before))\n", {"env": {"UV_THREADPOOL_SIZE": "9"}}),
    "LD_DEBUG": ("console.log(1)\n", {"env": {"LD_DEBUG": "help"}}),
    "FORCE_COLOR": ("console.log({ a: 1 })\nconsole.error([1])\n", {"env": {"FORCE_COLOR": "1"}}),
    # the main module
    "the main module": "console.log(require.main === module, module.id, module.parent, module.filename, module.loaded,\n"
                       "  module.paths[0], process.mainModule === module, this === module.exports, Object.keys(require.cache))\n",
    "what node was started with": "console.log(process.argv[0], process.argv0, process.execPath, process.execArgv, process.title,\n"
                                  "  process._preload_modules, process.versions.node, process.exitCode)\n",
    "names that are global": "console.log(Object.getOwnPropertyNames(globalThis).sort().join())\n",
    "the stack of the main module": 'console.log(new Error("x").stack)\n',
    "listeners at the start": "console.log(process.eventNames(), process.listenerCount('exit'), process._getActiveHandles().length,\n"
                              "  process.getActiveResourcesInfo())\n",
    "a main module of another name": (
        "throw 1", {"files": {"x/app.js": "console.log(process.argv, __filename, require.main === module, module.paths[0],\n"
                              "  Object.keys(require.cache)); console.log(new Error('e').stack); require('../main')\n"},
                    "entry": "x/app.js"}),
    "a module of another name": (
        "", {"files": {"app.mjs": "import fs from 'fs'; console.log(import.meta.url, process.argv); await 1; throw new Error('e')\n"},
             "entry": "app.mjs"}),
    "a CommonJS module by its extension": ("", {"files": {"package.json": '{"type": "module"}',
                                                          "app.cjs": "console.log(require.main === module)\n"},
                                                "entry": "app.cjs"}),
    "an entry without an extension": ("", {"files": {"app": "console.log(__filename)\n"}, "entry": "app"}),
    # modules of ECMAScript
    "a package of modules": ('import { readFileSync } from "node:fs"; import { x } from "./lib.js";\n'
                             'console.log(x, import.meta.url, typeof require, readFileSync.name, this); export {};\n'
                             'console.log(await Promise.resolve(5), process.argv.slice(1))\n',
                             {"files": {**MODULE["files"], "lib.js": "export const x = 42\n"}, "args": ["a"]}),
    "an error in a module": ('const f = () => { throw new RangeError("m") }\n\nf()\n', MODULE),
    "a syntax error in a module": ("export const a = ;\n", MODULE),
    "a module that is missing": ('import "./none.js"\n', MODULE),
    "require in a module": ('console.log(require)\n', MODULE),
    "a promise of the top level that never comes": ("await new Promise(() => {})\n", MODULE),
    "import without a package": 'import fs from "fs"; console.log(1)\n',
    "import as a function": ('import("./lib.mjs").then((m) => console.log(m.default, Object.keys(m)))\n',
                             {"files": {"lib.mjs": "export default 7; export const y = 1\n"}}),
    "modules from CommonJS": ('const { createRequire } = require("module"); console.log(createRequire(__filename)("./a").n)\n',
                              {"files": {"a.js": "exports.n = 1; exports.b = require('./b').a\n",
                                         "b.js": "exports.a = require('./a').n\n"}}),
    "packages beside the program": ('console.log(require("pkg"), require.resolve("pkg"))\n',
                                    {"files": {"node_modules/pkg/index.js": "module.exports = 'pkg'\n"}}),
    "a missing module": 'try { require("./none") } catch (e) { console.log(e.code, e.message, e.requireStack) }\nrequire("none")\n',
    "JSON that is broken": ('require("./x.json")\n', {"files": {"x.json": "{ x }"}}),
    "an error in another file": ('require("./lib")()\n', {"files": {"lib.js": "module.exports = () => {\n  null.x\n}\n"}}),
    # errors
    "an error with a cause": 'throw new Error("outer", { cause: new Error("inner") })\n',
    "an error with properties": 'throw Object.assign(new Error("x"), { code: "E_X", list: [1, 2] })\n',
    "throwing what is no error": 'throw { a: 1 }\n',
    "throwing a string": 'throw "text"\n',
    "throwing nothing": "throw undefined\n",
    "an own class of errors": 'class MyError extends Error { constructor(m) { super(m); this.name = "MyError" } }\nthrow new MyError("mine")\n',
    "an aggregate": 'throw new AggregateError([new Error("a"), new TypeError("b")], "both")\n',
    "a rejection that nobody handles": 'Promise.reject(new Error("lost"))\nsetTimeout(() => console.log("never"), 1000)\n',
    "a rejection of no error": "Promise.reject(5)\n",
    "a rejection with a handler": 'process.on("unhandledRejection", (e) => console.log("got", e.message));\nPromise.reject(new Error("x"))\n',
    "an asynchronous error": 'async function f() {\n  await 1\n  throw new Error("later")\n}\nf()\n',
    "an error in a timer": 'setTimeout(() => { throw new Error("t") }, 10)\n',
    "an error in a tick": 'process.nextTick(() => { throw new Error("t") })\n',
    "uncaughtException": 'process.on("uncaughtException", (e, o) => { console.log("caught", e.message, o) });\n'
                         'setTimeout(() => console.log("on"), 10); throw new Error("x")\n',
    "an error in a hook of the exit": 'process.on("exit", () => { throw new Error("at exit") }); console.log("work")\n',
    "an exit in a hook of the exit": 'process.on("exit", () => process.exit(9)); process.exit(1)\n',
    "deep recursion": 'function f(n) { return f(n + 1) + 1 }\ntry { f(0) } catch (e) { console.log(e instanceof RangeError, e.message) }\n',
    "deep recursion that nobody catches": ('const f = () => f()\nf()\n', {}),
    "an assertion": 'require("assert").strictEqual(1, 2)\n',
    "an assertion of deep equality": 'require("assert").deepStrictEqual({ a: [1, 2] }, { a: [1, 3] })\n',
    "a warning": 'process.emitWarning("careful", { code: "W1" }); new Buffer(1)\n',
    "an end with nothing left to do": "console.log(process.exitCode); process.exitCode = 0\n",
    "the emit of the process": 'const { EventEmitter } = require("events"); const names = Object.getOwnPropertyNames(process).sort();\n'
                               'console.log(process.emit === EventEmitter.prototype.emit, process.emit.name, "emit" in process,\n'
                               '  Object.hasOwn(process, "emit"), names.join(), Object.keys(Object.getPrototypeOf(process)).length)\n',
    "an emit of the program's own": 'const { emit } = process; process.emit = function (...a) { console.log(a); return emit.apply(this, a) };\n'
                                    'console.log(Object.hasOwn(process, "emit"), Object.keys(process).includes("emit"))\n',
    "the emit of all emitters": 'const E = require("events").prototype, o = E.emit, fs = require("fs");\n'
                                'E.emit = function (...a) { if (this === process) fs.writeSync(1, a[0] + "\\n"); return o.apply(this, a) };\n'
                                'process.emitWarning("w"); console.log("x", process.emit === E.emit)\n',
    "builtins of the program's own": 'for (const [o, f] of [[Array.prototype, "some"], [String.prototype, "endsWith"], [Object, "keys"], [Object, "assign"]]) {\n'
                                     '  const was = o[f]; o[f] = function (...a) { require("fs").writeSync(1, f + "\\n"); return was.apply(this, a) } }\n'
                                     'process.exitCode = 0\n',
    "a mock of the process": 'require("node:test").mock.method(process, "emit", () => {}); require("fs").writeSync(1, "ok")\n',
    "names by for and in": "const k = []; for (const x in process) k.push(x); console.log(k.join())\n",
    "contexts": 'console.log(require("v8").getHeapStatistics().number_of_native_contexts, typeof gc)\n',
    "a hook of the exit that comes late": 'process.once("beforeExit", () => process.on("exit", (c) => console.log("bye", c)))\n',
    "an error in a hook before the exit": 'process.once("beforeExit", () => { throw new Error("late") })\n',
    "much output at the end": 'process.stdout.write("x".repeat(6e5)); process.stderr.write("y".repeat(3e5))\n',
    "a worker that nobody waits for": 'const { Worker } = require("worker_threads");\n'
                                      'new Worker("setInterval(() => {}, 10)", { eval: true }).unref(); console.log("end")\n',
    "exit with a strange code": 'process.exitCode = 256 + 7\n',
    "exit inside of try": 'try { process.exit(2) } finally { console.log("never") }\n',
    "console.trace": 'function f() { console.trace("here") }\nf()\n',
    "Error.prepareStackTrace": 'Error.prepareStackTrace = (e, frames) => frames.map((f) => f.getFileName() + ":" + f.getLineNumber());\n'
                               'console.log(new Error().stack)\n',
    "strict mode": '"use strict"; undeclared = 1\n',
    "a shebang": "#!/usr/bin/env node\nconsole.log(1)\n",
    "a byte order mark": "\ufeffconsole.log(1)\n",
    "carriage returns": 'console.log(`a\r\nb`)\r\nthrow new Error("x")\r\n',
    "a source that is not UTF-8": b'console.log("caf\xe9".charCodeAt(3))\n',
    "empty program": "",
    "return at the top": "console.log(1); return; console.log(2)\n",
    # standard streams
    "stdin by event": ('let t = ""; process.stdin.on("data", (d) => t += d).on("end", () => console.log(t.length))\n',
                       {"stdin": "x" * 300_000}),
    "stdin by iteration": ('(async () => { for await (const l of require("readline").createInterface({ input: process.stdin })) console.log(l) })()\n',
                           {"stdin": "a\nb\nc"}),
    "stdin by its path": ('console.log(require("fs").readFileSync("/dev/stdin").length)\n', {"stdin": "x" * 100_000}),
    "no stdin": 'console.log(require("fs").readFileSync(0).length)\nprocess.stdin.on("end", () => console.log("end")).resume()\n',
    "binary stdin": ('console.log([...require("fs").readFileSync(0)].reduce((a, b) => a + b))\n', {"stdin": bytes(range(256))}),
    "stdin that is left alone": ('process.stdin.once("data", () => { console.log("one"); process.stdin.destroy() })\n',
                                 {"stdin": "x" * 200_000}),
    "a question": ('const rl = require("readline").createInterface({ input: process.stdin, output: process.stdout });\n'
                   'rl.question("name? ", (n) => { console.log("hi", n); rl.close() })\n', {"stdin": "you\n"}),
    "the kinds of its streams": "for (const s of [process.stdin, process.stdout, process.stderr])\n"
                                "  console.log(s.constructor.name, s.isTTY, s.fd, s.writableHighWaterMark)\n",
    "much output": 'for (let i = 0; i < 20000; i++) console.log("line", i)\n',
    "output, and then an exit": 'process.stdout.write("x".repeat(60_000)); process.exit(0)\n',
    "writes to the descriptor": ('const fs = require("fs"); for (let i = 0; i < 50; i++) fs.writeSync(1, "y".repeat(100_000)); fs.writeSync(2, "z")\n', {"limits": {"output_bytes": 8 * MIB}}),
    "a full device": 'try { require("fs").writeFileSync("/dev/full", "x") } catch (e) { console.log(e.code) }\n',
    "console.log of everything": 'console.log([1, , 3], { a: { b: { c: { d: 1 } } } }, new Map([[1, 2]]), new Set("ab"), () => {}, class A {}, Symbol("s"),\n'
                                 '  10n, -0, NaN, null, [undefined], new Error("e").message, /x/g, new Date(0), Buffer.from("ab"), new Proxy({}, {}),\n'
                                 '  "%s", [["nested", ["deep", ["deeper"]]]]); console.table([{ a: 1 }]); console.log("%s is %d and %j %o %%", "x", 1, {}, [1])\n',
    "console.time and count": 'console.count(); console.count("x"); console.group("g"); console.info("in"); console.groupEnd(); console.assert(false, "no")\n',
    "colours": ('console.log(require("util").inspect({ a: 1 }, { colors: true }), process.stdout.hasColors?.())\n', {}),
    # the process
    "signals that are caught": 'process.on("SIGTERM", () => { console.log("term"); clearInterval(t) });\n'
                               'const t = setInterval(() => {}, 1000); process.kill(process.pid, "SIGTERM")\n',
    "SIGINT": 'process.kill(process.pid, "SIGINT"); setInterval(() => {}, 1000)\n',
    "SIGKILL": 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)\n',
    "SIGPIPE": 'process.kill(process.pid, "SIGPIPE"); setTimeout(() => console.log("ignored"), 20)\n',
    "its process group": 'process.on("SIGUSR2", () => {}); console.log(process.kill(process.pid, 0), process.umask().toString(8), process.cwd() === __dirname)\n',
    "the environment": ('process.env.NEW = 1; delete process.env.GONE; const e = { ...process.env }; for (const k of Object.keys(e).sort())\n'
                        '  if (!/^(NODE_PATH|HOME)$/.test(k)) console.log(k, JSON.stringify(e[k]))\n'
                        'console.log(require("child_process").execSync("env | grep -v -e ^_= -e ^PWD= -e ^OLDPWD -e ^HOME= -e ^NODE_PATH= -e SHLVL | sort") + "")\n',
                        {"env": {"GONE": "1", "EMPTY": "", "PATH": "/usr/bin:/bin", "ÄÖ": "ü=ß"}}),
    "time zones": ('console.log(new Date(0).toString(), Intl.DateTimeFormat().resolvedOptions().timeZone)\n',
                   {"env": {"TZ": "Asia/Tokyo"}}),
    "a locale": ('console.log((1234.5).toLocaleString(), new Date(0).toLocaleDateString("de-DE", { timeZone: "UTC" }))\n',
                 {"env": {"LC_ALL": "de_DE.UTF-8"}}),
    "options in the environment": ('console.log(process.execArgv, process.env.NODE_OPTIONS); process.emitWarning("x")\n',
                                   {"env": {"NODE_OPTIONS": "--no-warnings"}}),
    "debugging of modules": ('console.log(require("util").debuglog("x").enabled)\n', {"env": {"NODE_DEBUG": "x"}}),
    "NODE_PATH": ('console.log(require("far"))\n', {"env": {"NODE_PATH": "./libs"}, "files": {"libs/far.js": "module.exports = 'far'\n"}}),
    "NODE_ENV": ('console.log(process.env.NODE_ENV)\n', {"env": {"NODE_ENV": "production"}}),
    "changing the directory": 'process.chdir("/"); console.log(process.cwd()); console.log(require("path").resolve("x"))\n',
    # workers and children
    "a worker thread": 'const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");\n'
                       'if (isMainThread) { const w = new Worker(__filename, { workerData: 5 }); w.on("message", (m) => console.log(m)); w.on("exit", (c) => console.log(c)) }\n'
                       'else { parentPort.postMessage([workerData, process.argv.slice(1), process.execArgv, Object.keys(require.cache), process.env.HATCHERY_JOB]); process.exit(3) }\n',
    # The program handles the error: Node's text for an unhandled error sometimes differs in its last frames.
    "an error in a worker thread": 'const { Worker } = require("worker_threads");\nnew Worker("throw new Error(\\"in it\\")", { eval: true })\n'
                                   '    .on("error", (e) => { console.log(e.stack.split("\\n").slice(0, 2)); process.exitCode = 3 })\n',
    "threads that share memory": 'const { Worker } = require("worker_threads"); const a = new Int32Array(new SharedArrayBuffer(4));\n'
                                 'new Worker("const { workerData: a } = require(\\"worker_threads\\"); Atomics.add(a, 0, 41); Atomics.notify(a, 0)", { eval: true, workerData: a });\n'
                                 'Atomics.wait(a, 0, 0, 5000); console.log(a[0] + 1)\n',
    "a second node": ('const c = require("child_process").fork("./child.js", ["x"]); c.on("message", (m) => { console.log(m); c.send("end") }); c.on("exit", (n) => console.log(n))\n',
                      {"files": {"child.js": 'process.send([process.argv.slice(2), process.execArgv]); process.on("message", () => process.exit(5))\n'}}),
    "output of children": 'require("child_process").spawnSync("sh", ["-c", "echo out; echo err >&2; head -c 300000 /dev/zero | tr \\\\0 x"], { stdio: "inherit" })\nconsole.log("end")\n',
    "input of children": ('console.log(require("child_process").execSync("cat").toString())\n'
                          'require("child_process").spawnSync("cat", { stdio: "inherit" })\n', {"stdin": "to the child\n"}),
    "a child that is missing": 'require("child_process").spawn("/nonexistent").on("error", (e) => console.log(e.code, e.path))\n',
    "a child that fails": 'try { require("child_process").execSync("exit 3", { stdio: "pipe" }) } catch (e) { console.log(e.status, e.message) }\n',
    # things that the warm-up could have touched
    "the state of regular expressions": "console.log(JSON.stringify([RegExp.$1, RegExp.lastMatch, RegExp.input]))\n",
    "prototypes are untouched": "console.log(Reflect.ownKeys(Object.prototype).length, Reflect.ownKeys(Array.prototype).length, Object.hasOwn(process, 'emit'),\n"
                                "  require('module').runMain.toString().length, require('module')._findPath.length, require('module')._resolveFilename.length)\n",
    "files": 'const fs = require("fs"); fs.writeFileSync("x.txt", "hi"); console.log(fs.readdirSync(".").sort(), fs.statSync("x.txt").mode.toString(8));\n'
             'fs.promises.readFile("x.txt", "utf8").then(console.log); fs.readFile("none", (e) => console.log(e.code, e.path))\n',
    "compression and hashes": 'const z = require("zlib"), c = require("crypto"); console.log(z.gunzipSync(z.gzipSync("x".repeat(1000))).length,\n'
                              '  c.createHash("sha256").update("x").digest("hex")); c.pbkdf2("a", "b", 10, 8, "sha1", (e, k) => console.log(k.toString("hex")))\n',
    "a server on a unix socket": 'const net = require("net"), s = net.createServer((c) => c.end("hi")).listen("s.sock", () =>\n'
                                 '  net.connect("s.sock").on("data", (d) => console.log("" + d)).on("close", () => s.close(() => console.log("closed"))))\n',
    "WebAssembly": "const m = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])); console.log(WebAssembly.Module.exports(m))\n",
    "weak references": "const r = new FinalizationRegistry(() => {}); r.register({}, 1); console.log(new WeakRef(globalThis).deref() === globalThis)\n",
    "internationalisation": 'console.log(new Intl.NumberFormat("de").format(12345.6), ["ä", "z", "a"].sort(new Intl.Collator("de").compare), "İ".toLowerCase().length)\n',
    "fetch is there": "console.log(typeof fetch, typeof structuredClone, typeof navigator, typeof crypto.subtle)\n",
    "a machine without a network": ("const os = require('os'); console.log(os.networkInterfaces(), os.hostname());\n"
                                    "new (require('worker_threads').Worker)('console.log(require(\"os\").networkInterfaces())', {eval: true});",
                                    {"ours": (b"{} sandbox\n{}\n", b"", ("exit", 0))}),
    "a machine of its own": ("const os = require('os'); console.log(os.cpus().length, os.totalmem() >> 20, os.freemem() <= os.totalmem());",
                             {"ours": (f"{len(os.sched_getaffinity(0))} {MEMORY_MIB} true\n".encode(), b"", ("exit", 0))}),
    "performance": "console.log(performance.now() > 0, process.uptime() > 0, process.hrtime().length, process.memoryUsage().rss > 0)\n",
    "async hooks": 'const { AsyncLocalStorage } = require("async_hooks"); const s = new AsyncLocalStorage(); s.run(1, () => setTimeout(() => console.log(s.getStore()), 5))\n',
    "vm": 'const vm = require("vm"); console.log(vm.runInNewContext("a + 1", { a: 1 })); vm.runInThisContext("throw new Error(\'v\')", "file.vm")\n',
    "eval": 'eval("var q = 5"); console.log(q); new Function("throw new Error(\'f\')")()\n',
}


def normalise(stream):
    """Replaces the pid in warnings."""
    return re.sub(rb"\(node:\d+\)", b"(node:PID)", stream)


LANGUAGE = Language(
    name="javascript",
    killed='console.log("one"); process.stdout.write("part"); console.error("err"); process.stdout.write("two"); process.kill(process.pid, "SIGKILL")\n',
    main="main.js", command=["node"], semantics=SEMANTICS, more=MORE,
    corpus={
        "hello": 'console.log("Hello, World!")\n',
        "fizzbuzz": 'for (let i = 1; i <= 100; i++) console.log(i % 15 ? i % 5 ? i % 3 ? i : "Fizz" : "Buzz" : "FizzBuzz")\n',
        "primes": "const n = 1e6, c = new Uint8Array(n); let k = 0;\nfor (let i = 2; i < n; i++) if (!c[i]) { k++; for (let j = i * i; j < n; j += i) c[j] = 1 }\n"
                  "console.log(k)\n",
        "word count": 'const n = {};\nfor (const w of require("fs").readFileSync(0, "utf8").split(/\\s+/)) if (w) n[w] = (n[w] ?? 0) + 1;\n'
                      'for (const w of Object.keys(n).sort((a, b) => n[b] - n[a] || (a < b ? -1 : 1))) console.log(w, n[w])\n',
        "json": 'const o = JSON.parse(require("fs").readFileSync(0));\nconsole.log(JSON.stringify({ name: o.name, total: o.items.reduce((a, b) => a + b) }))\n',
    },
    random=["console.log(Math.random())\n",
            'console.log(require("crypto").randomUUID(), require("fs").mkdtempSync("/tmp/x-"), require("crypto").randomBytes(8).toString("hex"))\n'],
    echo=[("1 + 1\n", "2\n"), ("'a'\n", "'a'\n"), ("let x = 5\nx * 2\n", "10\n"), ("undefined\n", ""), ("null\n", "null\n"),
          ("console.log(1); [1, { a: 2 }]\n", "1\n[ 1, { a: 2 } ]\n"), ("const x = 1\n", ""), ("if (true) { 'in' }\n", "'in'\n"),
          ("function f() {}\nf\n", "[Function: f]\n"), ("new Map([[1, 2]])\n", "Map(1) { 1 => 2 }\n"),
          ("require.main === module\n", "true\n"), ("__filename\n", "'/home/sandbox/main.js'\n"),
          ("setTimeout(() => console.log('later'), 10); 7\n", "7\nlater\n"), ("return 5\n", ""), ("Promise.resolve(1)\n", "Promise { 1 }\n"),
          ("#!/usr/bin/env node\n5\n", "5\n"), ("require('./main.js') === module.exports\n", "true\n"), ("1n << 70n\n", "1180591620717411303424n\n")],
    together=("deep recursion", "console.log of everything", "console.time and count", "a full device", "compression and hashes", "WebAssembly",
              "weak references", "internationalisation", "fetch is there", "performance", "a child that fails", "output of children",
              "threads that share memory"),
    limits=LIMITS, normalise=normalise)

JavaScript = tests_of(SERVER, LANGUAGE)
Planted = planted_tests(SERVER, "javascript")

if FORKED:
    Prestarted = tests_of(SERVER, replace(LANGUAGE, name="node-prestarted", recorded="javascript", is_costly=True))
    PlantedBesidePrestarted = planted_tests(SERVER, "javascript", called="node-prestarted")


@unittest.skipUnless(FORKED, "libnode-dev was not found when this was built: JavaScript is prestarted only")
class BothKinds(Case):
    """The plug-in is used, and reports about itself like a process that has just started."""

    SERVER = SERVER

    def test_the_plug_in_is_preferred(self):
        kinds = {row.name: type(row).Kind.Name(row.kind) for row in self.client.status().languages}
        self.assertEqual({"javascript": "FORKED", "node-prestarted": "PRESTARTED"}, kinds)

    def test_preloaded_modules_may_be_missing(self):
        [row] = [row for row in self.client.status().languages if row.name == "javascript"]
        self.assertEqual([("zlib", False), ("no-such-module", True)], [(p.name, p.missing) for p in row.preloads])

    def run_both(self, program):
        results = [self.execute(program, language=language, limits=LIMITS) for language in ("javascript", "node-prestarted")]
        for result in results:
            self.assert_exited(result)
        self.assertEqual(results[1].stdout, results[0].stdout)
        return results[0].stdout.decode()

    def test_both_know_a_process_that_is_their_own(self):
        self.run_both("console.log(process.pid === Number(require('fs').readlinkSync('/proc/self')), process.ppid >= 0,\n"
                      "  process.title, Math.abs(Date.now() - performance.timeOrigin - performance.now()) < 1000,\n"
                      "  require('os').userInfo().uid, Object.getOwnPropertyDescriptor(process, 'pid').writable,\n"
                      "  process.uptime() < 3600, performance.nodeTiming.name)\n")

    def test_the_time_of_a_process_begins_with_its_sandbox(self):
        program = "console.log(performance.timeOrigin)\n"
        first, second = (float(self.output(program, language="javascript", limits=LIMITS)) for _ in range(2))
        self.assertNotEqual(first, second)

    def test_one_thread_more_than_a_program_has_made(self):
        self.assertEqual("1\n", self.output("console.log(require('fs').readdirSync('/proc/self/task').length)\n",
                                            language="javascript"))

    def test_signals_and_children_of_many_runs(self):
        """Signals and children work in each of many runs: each run makes libuv's descriptors anew"""
        for _ in range(12):
            self.assertEqual("usr2\n0\n", self.output(
                "process.on('SIGUSR2', () => { console.log('usr2');\n"
                "  require('child_process').spawn('true').on('exit', (c) => { console.log(c); process.exit() }) });\n"
                "process.kill(process.pid, 'SIGUSR2'); setInterval(() => {}, 1000)\n", language="javascript"))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "javascript"
    HELLO = SEMANTICS["hello"]
    LIMITS = LIMITS

    @unittest.skipIf(FORKED, "a forked Node has so little memory of its own that it runs within a small limit")
    def test_a_limit_below_what_a_waiting_node_holds_is_refused(self):
        self.assert_refused("INVALID_ARGUMENT", ["memory of 8 MiB", "memory_bytes"], self.run_program, "",
                            limits={"memory_bytes": 8 << 20})
        self.hostile("")
        self.assertEqual(0, sum(row.failures for row in self.client.status().languages))

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "for (;;);\n", limits={"wall_us": 300_000})

    def test_endless_timers_end_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1)\n', limits={"wall_us": 300_000})

    def test_processor_time_ends_at_the_limit(self):
        self.assert_ends("CPU_LIMIT", "for (;;);\n", limits={"cpu_us": 200_000, "wall_us": 20_000_000})

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "const a = []; for (;;) a.push(new Array(1000).fill(1.5))\n", limits={"memory_bytes": 128 * MIB})

    def test_garbage_is_collected_before_the_limit(self):
        self.assert_exited(self.hostile("for (let i = 0, k = []; i < 300; i++) { const l = []; for (let j = 0; j < 20; j++) l.push(new Array(20000).fill(i));\n"
                                        "  k.push(l); if (k.length > 15) k = [] }\n", limits={"memory_bytes": 256 * MIB}))

    def test_the_heap_follows_the_limit_of_memory(self):
        program = "console.log(require('v8').getHeapStatistics().heap_size_limit >> 20)\n"
        for language in ("javascript", "node-prestarted") if FORKED else ("javascript",):
            for limits, most in ({"memory_bytes": 512 * MIB}, 512), ({"memory_bytes": 1000 * MIB}, 1000):
                heap = int(self.output(program, language=language, limits={**LIMITS, **limits}))
                if language == "javascript" and FORKED:
                    most = most * 3 // 4  # V8 collects garbage later in a heap that was made before the fork
                self.assertIn(heap, range(most, most + 64), language)  # V8 adds the part for young objects to this size

    def test_as_many_workers_as_a_pool_has_fit_into_the_usual_limits(self):
        result = self.run_program("const { Worker } = require('worker_threads'); let n = 0;\n"
                                  "for (let i = 0; i < 20; i++) new Worker('require(\"worker_threads\").parentPort.on(\"message\", () => {}).postMessage(1)', { eval: true })\n"
                                  "  .on('message', () => { if (++n === 20) { console.log(n); process.exit() } })\n")
        self.assert_exited(result)
        self.assertEqual(b"20\n", result.stdout)

    def test_buffers_end_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))\n", limits={"memory_bytes": 128 * MIB})

    def test_a_fork_bomb_ends_at_the_limit(self):
        result = self.hostile('const { spawn } = require("child_process");\n'
                              'setInterval(() => spawn("sleep", ["100"]).on("error", (e) => { console.log(e.code); process.exit(1) }), 0)\n',
                              limits={"wall_us": 20_000_000, "pids": 40, "open_files": 1024})
        self.assertIn(b"EAGAIN", result.stdout, describe(result))

    def test_a_bomb_of_threads_ends_at_the_limit(self):
        result = self.hostile('const { Worker } = require("worker_threads"); let n = 0;\n'
                              'for (let i = 0; i < 100; i++) new Worker("setInterval(() => {}, 100)", { eval: true })\n'
                              '  .on("error", (e) => { console.log(e.code); process.exit(1) })\n',
                              limits={"wall_us": 20_000_000, "pids": 32})
        self.assertNotEqual(("EXITED", 0), (describe(result).split()[0], result.exit_code), describe(result))

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", 'for (;;) require("fs").writeSync(1, "flood\\n")\n', limits={"output_bytes": MIB})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile('const fs = require("fs"), f = fs.openSync("f", "w"), b = Buffer.alloc(1 << 16);\nfor (;;) fs.writeSync(f, b)\n',
                              limits={"disk_bytes": 4 * MIB})
        self.assertIn(b"ENOSPC", result.stderr, describe(result))

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile('const fs = require("fs");\n'
                              'for (const f of ["/etc/shadow", "/proc/1/environ", "/root", "/proc/2/environ"]) try { console.log("" + fs.readFileSync(f)) }\n'
                              '  catch (e) { console.log(e.code) }\n'
                              'for (const f of ["/usr/x", "/x", "/hatchery/lang/node.js"]) try { fs.writeFileSync(f, "x") } catch (e) { console.log(e.code) }\n')
        lines = result.stdout.decode().splitlines()
        self.assertEqual(["ENOENT", "ENOENT", "ENOENT"], lines[:3], describe(result))
        self.assertEqual(["EROFS", "EROFS"], lines[-3:-1], describe(result))
        self.assertIn(lines[-1], ("EROFS", "ENOENT"), describe(result))  # the plug-in needs no file node.js

    def test_no_socket_leads_out(self):
        result = self.hostile('require("net").connect(22, "127.0.0.1").on("error", (e) => console.log(e.code)).on("connect", () => console.log("out"))\n')
        self.assertIn(result.stdout, (b"EAFNOSUPPORT\n", b"EINVAL\n"), describe(result))

    def test_the_end_of_the_main_process_ends_the_run(self):
        result = self.hostile('process.kill(process.ppid, "SIGKILL"); setInterval(() => {}, 1000)\n')
        self.assert_status(result, "SIGNALED")
        self.assertEqual(9, result.signal)

    def test_a_kill_of_all_reaches_only_its_own(self):
        result = self.hostile('try { process.kill(-1, "SIGKILL") } catch (e) { console.log(e.code) }\n')
        self.assertIn(describe(result).split()[0], ("EXITED", "SIGNALED"))

    def test_what_is_thrown_at_the_socket_of_the_job_is_not_heard(self):
        result = self.hostile('const fs = require("fs"); let n = 0;\nfor (let fd = 3; fd < 40; fd++) try { fs.writeSync(fd, "CCCC"); n++ } catch {}\n'
                              'fs.writeSync(1, "end\\n"); process.reallyExit(0)\n')
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)

    def test_what_stays_behind_is_killed(self):
        result = self.hostile('require("child_process").spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref(); console.log("end")\n')
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)


class Merged(HostileCase):
    """Standard error goes to standard output: a Node that already runs has to redirect it itself."""

    SERVER = SERVER
    LANGUAGE = "javascript"
    HELLO = SEMANTICS["hello"]
    LIMITS = LIMITS

    def test_both_streams_come_in_order(self):
        result = self.run_program('for (let i = 0; i < 5; i++) { console.log("out", i); console.error("err", i) }\n'
                                  'require("child_process").spawnSync("sh", ["-c", "echo child >&2"], { stdio: "inherit" })\n'
                                  'throw new Error("last")\n', merge_stderr=True)
        self.assert_exited(result, 1)
        lines = result.stdout.decode().splitlines()
        self.assertEqual([f"{what} {i}" for i in range(5) for what in ("out", "err")] + ["child"], lines[:11])
        self.assertIn("Error: last", lines)
        self.assertEqual(b"", result.stderr)
