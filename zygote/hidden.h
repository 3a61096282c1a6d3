/* Memory of the zygote that no child gets. A program may read all of its own memory, which is a copy of the zygote's.
 * The zygote's knowledge of other slots, of the host and of its own start must not be in that copy, so it lies here. A
 * child gets a copy of the part that it needs. A child that touches hidden memory is killed by SIGSEGV
 * (proto/base/hide.h names the exception). */
#pragma once

#include <stddef.h>

/* Zeroed memory, on pages of its own; NULL with errno set. */
void *hidden_new(size_t size);

/* Accepts NULL. */
void hidden_free(void *memory, size_t size);
