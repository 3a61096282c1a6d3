/* The compile cache: artifacts in one directory, by a key that stands for everything they were made from. It holds at
 * most so many bytes. When there is no room, entries of the client that holds most go first (pool/cache/cache_index.h).
 * The file's name holds the entry's owner, and the file's time its last use. So both survive restarts.
 *
 * An entry is one file, written under another name and then renamed, so that it is there as a whole or not at all. It
 * carries the hash of its contents, which is compared before anything of it is used. A damaged entry is removed. So no
 * fsync is needed, which would make all clients wait for the disk: a loss of power leaves at worst an entry that does
 * not match.
 *
 * Calls block for as long as the page cache takes; the directory must be local. File names are made from keys, never
 * from text of a client or a sandbox. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct cached;

enum { CACHE_OWNER_SIZE = 8, CACHE_KEY_SIZE = 32, CACHE_MAX_ENTRY = 8 << 20, CACHE_MISS = 0, CACHE_HIT = 1 };

/* The owner, as hashes of the peer and of the name that the peer gives; and the hash of the compilation's inputs. */
struct cache_key {
        uint8_t peer[CACHE_OWNER_SIZE], name[CACHE_OWNER_SIZE];
        uint8_t bytes[CACHE_KEY_SIZE];
};

/* The contents of an entry. */
struct cache_content {
        const struct file_span *files;
        size_t n_files;
        struct span out, err; /* the compiler's output */
        bool out_truncated, err_truncated;
};

/* Takes over the directory: counts its entries, and removes unfinished ones, those beyond the bound, and those of
 * versions with other keys. Other files are left alone. directory is borrowed and must stay open; negative: the cache
 * never holds anything. */
int cache_new(struct cache **out, int directory, uint64_t max_bytes, struct err *e);
void cache_free(struct cache *c);

/* Sets another bound, which holds from now on. */
void cache_bound(struct cache *c, uint64_t max_bytes);

/* CACHE_HIT: *out is the caller's to free, and content->files with all spans live as long as it. CACHE_MISS: there is
 * no usable entry. -errno with a sentence: an entry was there and had to be removed. */
int cache_get(struct cache *c, const struct cache_key *key, struct cached **out, struct cache_content *content,
              struct err *e);
void cached_free(struct cached *cached);
size_t cached_size(const struct cached *cached);

/* Puts an entry in, and replaces one of the same key. Returns 0 also if the entry is left out: it is larger than the
 * cache may be, than its client's share of a full cache, or than CACHE_MAX_ENTRY. Hashing an entry of that size takes
 * as long as the loop may be blocked. */
int cache_put(struct cache *c, const struct cache_key *key, const struct cache_content *content, struct err *e);

/* The bytes that the entries take, and their number. */
uint64_t cache_bytes(const struct cache *c);
size_t cache_count(const struct cache *c);
