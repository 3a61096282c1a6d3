/* Shared by the two ways to run JavaScript: the Node that waits in each sandbox (node.js), and the Node that is forked
 * (node_forked.js). Both read and compile this file themselves instead of requiring it, so it is in no cache of
 * modules. */
'use strict';

const Module = require('module');

/* Variables that Node, V8, ICU, OpenSSL, libuv or the dynamic linker read once, at the start of a process. */
const STARTUP_VARIABLE = /^(NODE_(?!ENV=|PATH=)|LD_|LC_|LANG|OPENSSL_|SSL_|UV_USE|ICU_|MALLOC_|GLIBC_)/;

/* Modules that programs often load, or that console.log and process.stdin need. assert is left out: it opens standard
 * error. */
const COMMON = ['buffer', 'child_process', 'crypto', 'events', 'fs', 'net', 'os', 'path', 'perf_hooks', 'querystring',
                'readline', 'stream', 'string_decoder', 'timers', 'tty', 'url', 'util', 'vm', 'worker_threads', 'zlib'];

function rehearse(fs) {
    for (const name of COMMON)
        require(name);

    /* Warms up the functions of a console, on a console of our own. The global console would open the standard streams,
     * and so would a test for colours. The sink is no stream of Node's: such a stream would put off work, and count it.
     */
    const { Console } = require('console');
    const sink = { write() {}, once() {}, on() {}, removeListener() {}, listenerCount: () => 0 };
    const console = new Console({ stdout: sink, stderr: sink, colorMode: false });
    for (let i = 0; i < 3; i++) {
        console.log('x', i);
        console.error('%s %d %j', 'x', i, { i }, [1, 'two'], { a: { b: new Map([[1, new Set([2])]]) } }, null, undefined, 1n,
                      Symbol('s'), new Date(0), /r/, () => i, new Error('e').message);
    }
    JSON.parse(JSON.stringify({ a: [1, 2.5, 'x', null, true] }));

    /* Warms up standard output, on an open file description of our own. A socket makes its description non-blocking,
     * and programs that write to descriptor 1 themselves would notice. Nothing is written. */
    const out = new (require('net').Socket)({ fd: fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY), readable: false });
    out.write('');
    out.unref();
    out._handle.close();

    /* Loading a module. */
    process._tickCallback(); /* runs the work that the streams put off, so that none of it is left for the program */

    isModule(fs, require('path'), '/hatchery/lang/rehearsal.js');
    setEnvironment([]);
    needsFreshNode(['A=']);
    new Module('/hatchery/lang/rehearsal.js')._compile('const { a } = { a: [1, 2].map((x) => x * 2) }; class B {}; exports.a = a;',
                                                       '/hatchery/lang/rehearsal.js');
}

/* Moves the rehearsal's young objects to the old generation. It makes new objects until the young space has been
 * collected twice: an object that survives both collections is old. Otherwise the program would pay for these
 * collections. (A callable gc exists only in a second context, and that context would stay.) */
function tidyUp() {
    const { getHeapSpaceStatistics } = require('v8');
    const used = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_used_size;
    for (let tries = 0, times = 0, before = used(); tries < 1000 && times < 2; tries++) {
        for (let i = 0; i < 16; i++)
            new Array(1000).fill(i);
        const now = used();
        times += now < before;
        before = now;
    }
}

function isModule(fs, path, file) {
    if (file.endsWith('.mjs'))
        return true;
    if (file.endsWith('.cjs'))
        return false;
    for (let folder = path.dirname(file), above; folder !== above; above = folder, folder = path.dirname(folder)) {
        const description = path.join(folder, 'package.json');
        try {
            if (fs.statSync(description, { throwIfNoEntry: false }))
                return JSON.parse(fs.readFileSync(description)).type === 'module';
        } catch {
            return false;
        }
    }
    return false;
}

/* Runs the program as Node's prompt would: as a script, with global names, printing the value of its last expression
 * unless that is undefined. A program that does not parse as a script goes the usual way. This function's source runs
 * under a file name of Node's own, so stacks end as they do at the prompt. */
function runEchoing(filename, require, Module) {
    const fs = require('fs'), path = require('path'), vm = require('vm');
    const { inspect } = require('util');
    const source = fs.readFileSync(filename, 'utf8').replace(/^\uFEFF/, '');
    let script;
    try {
        script = new vm.Script(source, { filename, importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER });
    } catch {
        return false;
    }
    const main = new Module(filename, null);
    main.id = '.';
    main.filename = filename;
    main.paths = Module._nodeModulePaths(path.dirname(filename));
    process.mainModule = main;
    Module._cache[filename] = main;
    const load = Object.assign((id) => main.require(id), {
        main, cache: Module._cache, extensions: Module._extensions,
        resolve: (request, options) => Module._resolveFilename(request, main, false, options),
    });
    const names = { require: load, module: main, exports: main.exports, __filename: filename, __dirname: path.dirname(filename) };
    for (const [name, value] of Object.entries(names))
        Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
    const write = process.stdout.write.bind(process.stdout);
    const value = script.runInThisContext({ displayErrors: true });
    main.loaded = true;
    if (value !== undefined)
        write(inspect(value, { showProxy: true }) + '\n');
    return true;
}

function echoMain(entry) {
    const run = new (require('vm').Script)(`(${runEchoing})`, { filename: 'node:internal/main/repl' }).runInThisContext();
    const { runMain } = Module;
    Module.runMain = (main) => {
        Module.runMain = runMain;
        if (!run(entry, require, Module))
            runMain(main);
    };
}

/* Sets the variables, and repeats what Node does with NODE_PATH at its start. */
function setEnvironment(env) {
    for (const variable of env) {
        const equals = variable.indexOf('=');
        process.env[variable.slice(0, equals)] = variable.slice(equals + 1);
    }
    if (env.some((variable) => variable.startsWith('NODE_PATH=')))
        Module._initPaths();
}

function needsFreshNode(env) {
    return env.some((variable) => STARTUP_VARIABLE.test(variable));
}

/* A sandbox has no network and may open no socket, so Node's function, which asks a socket for the interfaces, would
 * throw. This one answers what Node says where no interface is up. */
function hideNetwork() {
    require('os').networkInterfaces = function networkInterfaces() {
        return {};
    };
    Module.syncBuiltinESMExports();
}

module.exports = { hideNetwork, rehearse, tidyUp, isModule, echoMain, setEnvironment, needsFreshNode };
