/* The warm-up of JavaScript: what Node preloads (-r) in a sandbox that waits for its job.
 *
 * It warms up what most programs use, says that it is ready, and blocks until the job comes over the socket of
 * HATCHERY_JOB (lang/prestart.h has the frames). Then it puts the job's arguments and variables where Node would have
 * put them, takes away its own traces, and returns: Node itself goes on to load the main module, so that nothing of this
 * file is in any stack. Node was started with the name that inline code has; a job with another entry is led there by
 * the two functions of the module loader that may be replaced for such things.
 *
 * It was started in another directory than the job's: what it finds of package.json files it remembers, and so would
 * remember that there are none.
 *
 * A Node that is already running can't do every job: variables that it reads at its start make it say so (N), and the
 * job goes to a fresh one.
 *
 * It is loaded again by each worker thread of a program, and then does nothing. */
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

    /* What console.log does, but for the console, whose first line opens standard error. */
    const { format } = require('util');
    for (let i = 0; i < 3; i++)
        format('%s %d %j', 'x', i, { i }, [1, 'two'], { a: { b: new Map([[1, new Set([2])]]) } }, null, undefined, 1n,
               Symbol('s'), new Date(0), /r/, () => i, new Error('e').message);
    JSON.parse(JSON.stringify({ a: [1, 2.5, 'x', null, true] }));

    /* Standard output, through a description of its own: a socket sets its description not to block, which programs that
     * write to descriptor 1 themselves would notice. Nothing is written. */
    const out = new (require('net').Socket)({ fd: fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY), readable: false });
    out.write('');
    out.unref();
    out._handle.close();

    /* Loading a module. */
    process._tickCallback(); /* what the streams have put off: a program's ticks are its own */

    new Module('/hatchery/lang/rehearsal.js')._compile('const { a } = { a: [1, 2].map((x) => x * 2) }; class B {}; exports.a = a;',
                                                       '/hatchery/lang/rehearsal.js');
}

function readAll(fs, fd, length) {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length;) {
        const n = fs.readSync(fd, bytes, at, length - at, null);
        if (n === 0)
            process.reallyExit(0); /* nobody has a job any more */
        at += n;
    }
    return bytes;
}

function readJob(fs, fd) {
    const length = readAll(fs, fd, 4).readUInt32BE(0);
    const words = readAll(fs, fd, length).toString('utf8').split('\0');
    const [entry, echo, merge, nArgs] = words;
    const args = words.slice(4, 4 + Number(nArgs));
    const env = words.slice(4 + args.length, -1); /* the last word ends with NUL, too */
    return { entry, echo: echo !== '', merge: merge !== '', args, env };
}

/* Descriptor 2 becomes the pipe that descriptor 1 is. The lowest free number is the one that was just closed. */
function mergeStderr(fs) {
    fs.closeSync(2);
    return fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY) === 2;
}

function isModule(fs, path, file) {
    if (file.endsWith('.mjs'))
        return true;
    for (let folder = path.dirname(file); !file.endsWith('.cjs'); folder = path.dirname(folder)) {
        try {
            return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'))).type === 'module';
        } catch (error) {
            if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' || folder === path.dirname(folder))
                return false;
        }
    }
    return false;
}

/* Node looks for the main module that it was started with, once or twice. It is answered with the job's. */
function redirectMain(main, entry, esm) {
    const { _findPath, _resolveFilename } = Module;
    Module._findPath = (...args) => {
        Module._findPath = _findPath;
        return _findPath(entry, null, true);
    };
    if (esm)
        return;
    Module._resolveFilename = (request, ...args) => {
        Module._resolveFilename = _resolveFilename;
        return _resolveFilename(request === main ? entry : request, ...args);
    };
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

function forget() {
    delete Module._cache[__filename];
    for (const key of Object.keys(Module._pathCache))
        if (Module._pathCache[key] === __filename)
            delete Module._pathCache[key];
    process.execArgv = [];
    Object.defineProperty(process, '_preload_modules', { value: [] });
}

function takeJob(fd) {
    const fs = require('fs'), path = require('path');
    delete process.env.HATCHERY_JOB;
    process.chdir(path.dirname(process.argv[1]));
    rehearse(fs);
    forget();
    fs.writeSync(fd, 'R');

    const job = readJob(fs, fd);
    if (job.env.some((variable) => STARTUP_VARIABLE.test(variable)) || job.merge && !mergeStderr(fs)) {
        fs.writeSync(fd, 'N');
        process.reallyExit(0);
    }
    for (const variable of job.env) {
        const equals = variable.indexOf('=');
        process.env[variable.slice(0, equals)] = variable.slice(equals + 1);
    }
    if (job.env.some((variable) => variable.startsWith('NODE_PATH=')))
        Module._initPaths();
    const main = process.argv[1], entry = path.resolve(job.entry), esm = isModule(fs, path, entry);
    process.argv[1] = entry;
    process.argv.push(...job.args);
    if (entry !== main)
        redirectMain(main, entry, esm);
    if (job.echo && !esm)
        echoMain(entry);

    fs.writeSync(fd, 'G');
    readAll(fs, fd, 1); /* S */
    fs.closeSync(fd);
}

if (process.env.HATCHERY_JOB)
    takeJob(Number(process.env.HATCHERY_JOB));
else
    forget(); /* a worker thread */
