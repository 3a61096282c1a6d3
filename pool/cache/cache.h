/* The compile cache: artifacts by a key that stands for everything they were made from, in one directory. It holds at
 * most so many bytes. When there is no room, entries of the client that holds most go first (pool/cache/cache_index.h).
 * Whose an entry is survives restarts as a part of the file's name, and the order of use as the files' times.
 *
 * An entry is one file, written under another name and then renamed, so that it is there as a whole or not at all; and
 * it carries the hash of all that is in it, which is compared before anything of it is used. An entry that is not what
 * it should be is removed. That is also what makes fsync unnecessary, which would keep all clients waiting for the
 * disk: what a loss of power leaves is at worst an entry that does not match.
 *
 * Calls block for as long as the page cache takes; the directory must be local. Names of files are made from keys, and
 * never from anything that a client or a sandbox says. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct cached;

enum { CACHE_OWNER_SIZE = 8, CACHE_KEY_SIZE = 32, CACHE_MAX_ENTRY = 8 << 20, CACHE_MISS = 0, CACHE_HIT = 1 };

/* Whose it is, as hashes of the peer and of the name that the peer gives, and what it is. */
struct cache_key {
        uint8_t peer[CACHE_OWNER_SIZE], name[CACHE_OWNER_SIZE];
        uint8_t bytes[CACHE_KEY_SIZE];
};

/* What an entry holds. */
struct cache_content {
        const struct file_span *files;
        size_t n_files;
        struct span out, err; /* what the compiler said */
        bool out_truncated, err_truncated;
};

/* Takes what is in the directory: counts entries, removes what was not finished, what is too much, and entries of
 * versions that named them by other keys. Other files are left alone. directory is borrowed and must stay open;
 * negative: the cache is one that holds nothing. */
int cache_new(struct cache **out, int directory, uint64_t max_bytes, struct err *e);
void cache_free(struct cache *c);

/* Another bound, which holds from now on. */
void cache_bound(struct cache *c, uint64_t max_bytes);

/* CACHE_HIT: *out is the caller's to free, and content->files with all spans live as long as it. CACHE_MISS: there is
 * none, or none that can be used; -errno with a sentence when an entry was there and had to be removed. */
int cache_get(struct cache *c, const struct cache_key *key, struct cached **out, struct cache_content *content,
              struct err *e);
void cached_free(struct cached *cached);
size_t cached_size(const struct cached *cached);

/* Puts an entry in place of whatever had this key. 0 also where it is left out: larger than the cache may be, or than
 * its client's share of a full cache, or than CACHE_MAX_ENTRY, whose hash takes as long as the loop may be held up. */
int cache_put(struct cache *c, const struct cache_key *key, const struct cache_content *content, struct err *e);

/* What the entries take, and how many there are. */
uint64_t cache_bytes(const struct cache *c);
size_t cache_count(const struct cache *c);
