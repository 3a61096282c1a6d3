/* Node embedded so that it can be forked, for which Node is not made. The code behind this header is C++; the rest of
 * Hatchery is C. docs/languages.md, "Node forked", lists the obstacles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct node_embed;

/* The answer for a job that needs a Node of its own. */
enum { NODE_EMBED_FRESH = -1 };

/* In the zygote: initialises V8 and one environment in one thread. It is never released. 0, or -1 with a sentence in
 * why. */
int node_embed_start(struct node_embed **out, char *why, size_t why_size);

/* In the zygote: loads a module; false if that fails. */
bool node_embed_preload(struct node_embed *n, const char *name);

/* In the zygote, when all is loaded: collects garbage, so that children need not do it. */
void node_embed_settle(struct node_embed *n);

/* In each child: the descriptors of the event loop are made anew (those of the zygote are closed by now), random
 * numbers get a new seed, and facts about the process (pid, start time) are renewed. 0, or a negative errno. */
int node_embed_forked(struct node_embed *n);

/* In the zygote or in a child: runs the paths that most programs take. */
void node_embed_rehearse(struct node_embed *n);

/* In each child: runs the program, and ends the process. args and env (name=value) end with NULL; memory_bytes is the
 * run's memory limit. Returns only NODE_EMBED_FRESH, before anything of the program has run. */
int node_embed_run(struct node_embed *n, const char *entry, char *const *args, char *const *env, bool echo,
                   uint64_t memory_bytes);

const char *node_embed_version(void);

#ifdef __cplusplus
}
#endif
