/* Node embedded so that it can be forked, which it is not made for. Behind this header is C++, the rest of Hatchery is C.
 * Where what is done here comes from: docs/languages.md, "Node forked". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct node_embed;

/* In the zygote: initialises V8 and one environment in one thread, and runs script in it, whose value is a function. 0,
 * or -1 with a sentence in why. */
int node_embed_start(struct node_embed **out, const char *script, char *why, size_t why_size);

/* In each child: the event loop's descriptors are made anew (those of the zygote are closed by now), and what is random
 * starts elsewhere. 0, or a negative errno. */
int node_embed_forked(struct node_embed *n);

/* In each child: calls the function with entry, args, env (name=value) and echo, and runs the event loop to its end.
 * Returns the exit status, or ends the process itself. args and env end with NULL. */
int node_embed_run(struct node_embed *n, const char *entry, char *const *args, char *const *env, bool echo);

#ifdef __cplusplus
}
#endif
