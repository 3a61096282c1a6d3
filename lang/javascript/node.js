/* The warm-up of JavaScript: Node preloads this file (-r) in a sandbox that waits for its job.
 *
 * It warms up what most programs use, says that it is ready, and blocks until the job comes over the socket of
 * HATCHERY_JOB (lang/prestart.h has the frames). Then it puts the job's arguments and variables where Node would have
 * put them, removes its own traces, and returns. Node itself goes on to load the main module, so no stack shows this
 * file. Node was started with main.js as its main file, which is the name of inline code. If a job has another entry,
 * this file replaces two functions of Node's module loader, so that Node loads that entry. Node allows programs to
 * replace them.
 *
 * Node was started outside of the job's directory. Node remembers which package.json files exist. If it were started in
 * the job's directory, it would remember that there are none, and would ignore those that come with the job.
 *
 * A Node that is already running can't do every job, since it reads some variables only at its start. If a job sets
 * one, the warm Node says so (N), and the job goes to a fresh Node.
 *
 * Each worker thread of a program loads this file again, and so does a fresh Node. Then the file only hides the
 * network. */
'use strict';

const Module = require('module');

/* Loads as require does, but leaves no entry in the caches, which a program can look into. */
function load(fs, file) {
    const module = new Module(file);
    module._compile(fs.readFileSync(file, 'utf8'), file);
    return module.exports;
}

function readAll(fs, fd, length) {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length;) {
        const n = fs.readSync(fd, bytes, at, length - at, null);
        if (n === 0)
            process.reallyExit(0); /* the sender has gone: no job will come */
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

/* Makes descriptor 2 a copy of descriptor 1. The open gets number 2, because the close just made that the lowest free
 * number. */
function mergeStderr(fs) {
    fs.closeSync(2);
    return fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY) === 2;
}

/* Node looks up, once or twice, the main module that it was started with. Both times this answers with the job's
 * module. */
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

/* Removes our traces. In the list of Node's own options, the words up to this file's name are ours. */
function forget() {
    delete Module._cache[__filename];
    for (const key of Object.keys(Module._pathCache))
        if (Module._pathCache[key] === __filename)
            delete Module._pathCache[key];
    process.execArgv = process.execArgv.slice(process.execArgv.indexOf(__filename) + 1);
    Object.defineProperty(process, '_preload_modules', { value: [] });
}

function takeJob(fd) {
    const fs = require('fs'), path = require('path');
    delete process.env.HATCHERY_JOB;
    process.chdir(path.dirname(process.argv[1]));
    const shared = load(fs, path.join(__dirname, 'node_shared.js'));
    shared.hideNetwork();
    shared.rehearse(fs);
    forget();
    shared.tidyUp();
    fs.writeSync(fd, 'R');

    const job = readJob(fs, fd);
    if (shared.needsFreshNode(job.env) || job.merge && !mergeStderr(fs)) {
        fs.writeSync(fd, 'N');
        process.reallyExit(0);
    }
    shared.setEnvironment(job.env);
    const main = process.argv[1], entry = path.resolve(job.entry), esm = shared.isModule(fs, path, entry);
    process.argv[1] = entry;
    process.argv.push(...job.args);
    if (entry !== main)
        redirectMain(main, entry, esm);
    if (job.echo && !esm)
        shared.echoMain(entry);

    fs.writeSync(fd, 'G');
    readAll(fs, fd, 1); /* S */
    fs.closeSync(fd);
}

/* For a worker thread, or a Node that has its program already: takes no job. */
function leaveAlone() {
    load(require('fs'), require('path').join(__dirname, 'node_shared.js')).hideNetwork();
    forget();
}

if (process.env.HATCHERY_JOB)
    takeJob(Number(process.env.HATCHERY_JOB));
else
    leaveAlone();
