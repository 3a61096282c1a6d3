/* Memory of the zygote that no child gets. A program may read all of its own memory, which is a copy of the zygote's:
 * what the zygote knows of other slots, of the host and of its own start must not be in it. So all that lies here, and
 * what a child needs is copied for it. A child that touches hidden memory dies of it
 * (proto/base/hide.h says when not). */
#pragma once

#include <stddef.h>

/* Zeroed, on pages of its own; NULL with errno set. */
void *hidden_new(size_t size);

/* Accepts NULL. */
void hidden_free(void *memory, size_t size);
