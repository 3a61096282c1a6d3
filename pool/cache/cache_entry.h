/* One entry of the compile cache as a file: a head, a row for each artifact, all names, all contents, the compiler's
 * output, and the SHA-256 of all that. The same build of hatcheryd writes and reads it. A file of another build, with
 * changed bytes or of another length is refused as a whole. Private to cache*.c. */
#pragma once

#include "pool/cache/cache.h"

/* The length of the file. */
uint64_t cache_entry_size(const struct cache_content *content);

int cache_entry_write(int fd, const struct cache_key *key, const struct cache_content *content, struct err *e);

/* size: the size that the file must have. -EBADMSG: this is not the file that was written for this key. *out is set as
 * by cache_get. */
int cache_entry_read(int fd, const struct cache_key *key, uint64_t size, struct cached **out,
                     struct cache_content *content, struct err *e);
