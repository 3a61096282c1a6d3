/* Memory that children do not get. */
#pragma once

#include <stddef.h>

/* Whole pages of private, anonymous memory: a child that touches them dies of it, or, where a filter swallows
 * MADV_DONTFORK (lang/javascript/node_embed.cc needs one), finds zeros. 0, or a negative errno. */
int hide_from_children(void *memory, size_t size);
