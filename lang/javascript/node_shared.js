/* What the two JavaScripts have in common: the Node that waits in each sandbox (node.js), and the one that is forked
 * (node_forked.js). Compiled by its reader and not required, so that it is in no cache of modules. */
'use strict';

const Module = require('module');

/* Read by Node, V8, ICU, OpenSSL, libuv or the dynamic linker at the start of a process, and then never again. */
const STARTUP_VARIABLE = /^(NODE_(?!ENV=|PATH=)|LD_|LC_|LANG|OPENSSL_|SSL_|UV_USE|ICU_|MALLOC_|GLIBC_)/;

/* Modules that programs ask for, and what console.log and process.stdin need. Not assert, which opens standard error. */
const COMMON = ['buffer', 'child_process', 'crypto', 'events', 'fs', 'net', 'os', 'path', 'perf_hooks', 'querystring',
                'readline', 'stream', 'string_decoder', 'timers', 'tty', 'url', 'util', 'vm', 'worker_threads', 'zlib'];

function rehearse(fs) {
    for (const name of COMMON)
        require(name);

    /* The functions of a console; the one that programs have, and asking for colours, would open the standard streams. It
     * writes to no stream of Node's, which would put off work, and count that. */
    const { Console } = require('console');
    const sink = { write() {}, once() {}, on() {}, removeListener() {}, listenerCount: () => 0 };
    const console = new Console({ stdout: sink, stderr: sink, colorMode: false });
    for (let i = 0; i < 3; i++) {
        console.log('x', i);
        console.error('%s %d %j', 'x', i, { i }, [1, 'two'], { a: { b: new Map([[1, new Set([2])]]) } }, null, undefined, 1n,
                      Symbol('s'), new Date(0), /r/, () => i, new Error('e').message);
    }
    JSON.parse(JSON.stringify({ a: [1, 2.5, 'x', null, true] }));

    /* Standard output, through a description of its own: a socket sets its description not to block, which programs that
     * write to descriptor 1 themselves would notice. Nothing is written. */
    const out = new (require('net').Socket)({ fd: fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY), readable: false });
    out.write('');
    out.unref();
    out._handle.close();

    /* Loading a module. */
    process._tickCallback(); /* what the streams have put off: a program's ticks are its own */

    isModule(fs, require('path'), '/hatchery/lang/rehearsal.js');
    setEnvironment([]);
    needsFreshNode(['A=']);
    new Module('/hatchery/lang/rehearsal.js')._compile('const { a } = { a: [1, 2].map((x) => x * 2) }; class B {}; exports.a = a;',
                                                       '/hatchery/lang/rehearsal.js');
}

/* The young objects of the rehearsal are put away by making more of them until there was no room, twice: what outlives that
 * is old. Otherwise it falls to the first run that has a moment to spare. (The gc that can be called is to be had in another
 * context alone, which would stay.) */
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

/* As at the prompt of Node: the program is a script, its names are global, and the value of its last expression is
 * printed, unless it is undefined. What can't be read as a script goes the usual way. This function's source is run under
 * a name of Node's own, so that stacks end as they do at the prompt. */
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

/* What Node reads of the environment at its start, and takes up again. */
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

/* There is no network, and no socket to ask for its interfaces, for which Node would throw. Without one that is up it says
 * this. */
function hideNetwork() {
    require('os').networkInterfaces = function networkInterfaces() {
        return {};
    };
    Module.syncBuiltinESMExports();
}

module.exports = { hideNetwork, rehearse, tidyUp, isModule, echoMain, setEnvironment, needsFreshNode };
