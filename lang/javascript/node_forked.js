/* The warm-up of the forked JavaScript, and the start of a job. lang/javascript/node_embed.cc evaluates this file in
 * the zygote, and gets the functions returned at its end. As an embedder's script, its `require` also finds Node's
 * internal modules.
 *
 * The function that starts the main module is the one that `node FILE` uses, so stacks end in the same way. */
'use strict';

const { internalBinding } = require('internal/bootstrap/realm');
const Module = require('module');
const fs = require('fs'), path = require('path');

const start = internalBinding('builtins').compileFunction('internal/main/run_main_module');
const { milestones } = internalBinding('performance');
const { Performance } = require('internal/perf/performance');
const perf = require('internal/perf/utils');
const primordials = { RegExpPrototypeExec: Function.prototype.call.bind(RegExp.prototype.exec) };

/* Programs see Node's usual command here, not the zygote's own program. */
process.argv[0] = process.execPath = '/usr/bin/node';

let shared, main;

/* Replaces Node's preparation of the main thread, which is done already, by nothing. */
function requireForMain(name) {
    if (name === 'internal/process/pre_execution')
        return { prepareMainThreadExecution: () => main, markBootstrapComplete() {} };
    return require(name);
}

function share(source) {
    const name = '/hatchery/lang/node_shared.js', module = new Module(name);
    module._compile(source, name);
    shared = module.exports;
    shared.hideNetwork();
}

/* Loads a module, and passes on its exceptions. The loader's search begins at "/", so it remembers nothing about the
 * program's directory. */
function preload(name) {
    Module.createRequire('/')(name);
}

function rehearse() {
    shared.rehearse(fs);
}

/* Sets the facts that Node notes when a process starts. For this sandbox, the start is now. */
function renew(pid, nowNs, unixMs) {
    Object.defineProperty(process, 'pid', { value: pid, writable: false, enumerable: true, configurable: true });
    perf.refreshTimeOrigin();
    for (let i = 0; i < milestones.length; i++)
        if (milestones[i] > 0)
            milestones[i] = nowNs;
    Object.defineProperty(Performance.prototype, 'timeOrigin', { value: unixMs, configurable: true, enumerable: true });
}

/* Returns the function that runs the job; undefined if the job needs a fresh Node that starts with the job's
 * environment. */
function prepare(entry, args, env, echo) {
    if (shared.needsFreshNode(env))
        return undefined;
    process.chdir('.'); /* the current directory is cached */
    shared.setEnvironment(env);
    main = path.resolve(entry);
    process.argv.length = 1;
    process.argv.push(main, ...args);
    if (echo && !shared.isModule(fs, path, main))
        shared.echoMain(main);
    return start.bind(undefined, process, requireForMain, internalBinding, primordials);
}

return { share, preload, rehearse, renew, prepare };
