/* One entry of the compile cache as a file: a head, a row for each artifact, all names, all contents, what the compiler
 * said, and the SHA-256 of all that. It is written and read by one build of one program; a file of another one, of
 * other bytes or of another length is refused as a whole. Private to cache*.c. */
#pragma once

#include "pool/cache/cache.h"

/* The length of the file. */
uint64_t cache_entry_size(const struct cache_content *content);

int cache_entry_write(int fd, const struct cache_key *key, const struct cache_content *content, struct err *e);

/* size: what the file has to have. -EBADMSG: it is not what was once written for this key. *out as in cache_get. */
int cache_entry_read(int fd, const struct cache_key *key, uint64_t size, struct cached **out,
                     struct cache_content *content, struct err *e);
