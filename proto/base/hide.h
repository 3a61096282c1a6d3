/* Memory that children do not get. */
#pragma once

#include <stddef.h>

/* For whole pages of private, anonymous memory. A child that touches them is killed by SIGSEGV. If a filter swallows
 * MADV_DONTFORK (lang/javascript/node_embed.cc needs such a filter), the child reads zeros instead. 0, or a negative
 * errno. */
int hide_from_children(void *memory, size_t size);
