/* JavaScript as a forked language: Node is embedded and initialised once, and a child runs a file as `node FILE` would.
 * Where this plug-in can't be built, JavaScript is prestarted (javascript.conf), and behaves the same. */
#include "lang/javascript/node_embed.h"
#include "lang/lang.h"
#include "lang/preload.h"
#include "lang/startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRAM "/usr/bin/node"

/* The directories into which npm installs with --prefix DIR, and with -g --prefix DIR. The same as in
 * javascript.conf. */
#define NODE_PATH LANG_PACKAGES "/node_modules:" LANG_PACKAGES "/lib/node_modules"

static bool load(void *context, const char *name)
{
        return node_embed_preload(context, name);
}

static int node_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        size_t n = setup->n_preload;
        struct node_embed *node = NULL;
        char why[200] = "";

        out->preloads = calloc(n ? n : 1, sizeof *out->preloads);
        if (!out->preloads || setenv("NODE_PATH", NODE_PATH, 1) < 0)
                return err_set(e, ENOMEM, "Node's settings");
        if (node_embed_start(&node, why, sizeof why) < 0)
                return err_say(e, EIO, "initialising Node: %s", why);
        node_embed_rehearse(node);
        for (size_t i = 0; i < n; i++)
                out->preloads[i] = preload_timed(load, node, setup->preload[i]);
        node_embed_settle(node);
        out->state = node;
        snprintf(out->version, sizeof out->version, "%s", node_embed_version());
        return 0;
}

static int node_after_fork(void *state)
{
        return node_embed_forked(state);
}

static void node_rehearse(void *state)
{
        node_embed_rehearse(state);
}

static int node_run(void *state, const struct job *job)
{
        int r = node_embed_run(state, job->entry, job->args, job->env, job->header.echo, job->header.memory_bytes);
        return r == NODE_EMBED_FRESH ? startup_fresh(&hatchery_language, job) : r;
}

static const char preloaded[] = LANG_FILES "/node.js";

/* The command for a job that needs a new Node. node_shared.js knows which environment variables need one; the
 * prestarted Node uses that file, too. */
static const char *const fresh[] = { PROGRAM,
                                     "node",
                                     "--max-old-space-size={memory%100}",
                                     "-r",
                                     preloaded, /* as in javascript.conf */
                                     "{interpreter_args}",
                                     "{entry}",
                                     NULL };
static const char *const prompt[] = { PROGRAM, "node", "--max-old-space-size={memory%100}", "-r", preloaded, NULL };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "javascript",
        .aliases = "node js nodejs",
        .main_file = "main.js",
        .extensions = "js mjs cjs",
        .kind = KIND_FORKED,
        .echoes = true,
        .fresh = fresh,
        .prompt = prompt,
        .warm = node_warm,
        .after_fork = node_after_fork,
        .rehearse = node_rehearse,
        .run = node_run,
};
