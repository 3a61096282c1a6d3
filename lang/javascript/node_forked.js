/* The warm-up of the forked JavaScript, and the start of a job: evaluated in the zygote by lang/javascript/node_embed.cc, which is
 * given four functions. This is a script of an embedder: its `require` knows Node's own modules by their inner names.
 *
 * The main module is started by the very function that starts it under node FILE, so that stacks end in the same way. */
'use strict';

const { internalBinding } = require('internal/bootstrap/realm');
const Module = require('module');
const fs = require('fs'), path = require('path');

const start = internalBinding('builtins').compileFunction('internal/main/run_main_module');
const { milestones } = internalBinding('performance');
const { Performance } = require('internal/perf/performance');
const perf = require('internal/perf/utils');
const primordials = { RegExpPrototypeExec: Function.prototype.call.bind(RegExp.prototype.exec) };

/* And not the program of the zygote. */
process.argv[0] = process.execPath = '/usr/bin/node';

let shared, main;

/* What is prepared by now it does not prepare again. */
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

/* Throws what the module throws. Its own first look at the program's directory finds nothing that is kept. */
function preload(name) {
    Module.createRequire('/')(name);
}

function rehearse() {
    shared.rehearse(fs);
}

/* What a process knows of itself since its start, which is now. */
function renew(pid, nowNs, unixMs) {
    Object.defineProperty(process, 'pid', { value: pid, writable: false, enumerable: true, configurable: true });
    perf.refreshTimeOrigin();
    for (let i = 0; i < milestones.length; i++)
        if (milestones[i] > 0)
            milestones[i] = nowNs;
    Object.defineProperty(Performance.prototype, 'timeOrigin', { value: unixMs, configurable: true, enumerable: true });
}

/* What is to be called to run the job; nothing, for one that needs a Node which starts with the job's environment. */
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
