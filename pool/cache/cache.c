/* The compile cache: see cache.h. This file handles its files. cache_index.c knows the entries, and chooses the one to
 * remove when there are too many. cache_entry.c reads and writes the contents of an entry. */
#include "pool/cache/cache.h"

#include "pool/cache/cache_entry.h"
#include "pool/cache/cache_index.h"
#include "proto/base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
        NAME_LEN = 2 * sizeof(struct cache_key),
        OLD_NAME_LEN = 2 * CACHE_KEY_SIZE, /* length of a name in older versions, whose entries had no owner */
        TOUCH_AFTER_S = 60, /* a file's modification time is the time of its last use, to this precision */
        ENTRY_COST = 4096,  /* an entry's cost beside its bytes: a part of a block, an inode, its place in memory */
};

static const char temporary[] = "unfinished"; /* one name is enough, since only this process writes */

struct cache {
        int directory;
        uint64_t max_bytes;
        struct cache_index index;
};

/* ---------------------------------------------------------------- names */

static void name_of(const struct cache_key *key, char name[NAME_LEN + 1])
{
        const uint8_t *bytes = (const uint8_t *)key;
        for (size_t i = 0; i < sizeof *key; i++)
                snprintf(name + 2 * i, 3, "%02x", bytes[i]);
}

/* The value of a digit for which is_hexadecimal is true. */
static unsigned digit(char c)
{
        return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool is_hexadecimal(const char *name, size_t len)
{
        return strlen(name) == len && strspn(name, "0123456789abcdef") == len;
}

static bool key_of(const char *name, struct cache_key *key)
{
        uint8_t *bytes = (uint8_t *)key;
        if (!is_hexadecimal(name, NAME_LEN))
                return false;
        for (size_t i = 0; i < sizeof *key; i++)
                bytes[i] = (uint8_t)(digit(name[2 * i]) << 4 | digit(name[2 * i + 1]));
        return true;
}

/* ---------------------------------------------------------------- removal */

static uint64_t cost_of(uint64_t size)
{
        return size + ENTRY_COST;
}

static void discard(struct cache *c, struct known *k)
{
        char name[NAME_LEN + 1];

        name_of(&k->key, name);
        unlinkat(c->directory, name, 0); /* if it can't be removed, it is still forgotten */
        cache_index_forget(&c->index, k);
}

static void keep_bound(struct cache *c)
{
        struct timespec now;
        struct known *k;

        clock_gettime(CLOCK_REALTIME, &now);
        while (c->index.bytes > c->max_bytes && (k = cache_index_next_to_go(&c->index, now.tv_sec)))
                discard(c, k);
}

/* ---------------------------------------------------------------- beginning and end */

static int earlier(const void *left, const void *right)
{
        const struct timespec *a = &((const struct known *)left)->used, *b = &((const struct known *)right)->used;
        if (a->tv_sec != b->tv_sec)
                return a->tv_sec < b->tv_sec ? -1 : 1;
        return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

struct listing {
        struct known *at;
        size_t n, room;
};

static int list(struct listing *l, const struct known *k)
{
        if (l->n == l->room) {
                size_t room = l->room ? 2 * l->room : 64;
                struct known *at = realloc(l->at, room * sizeof *at);
                if (!at)
                        return -ENOMEM;
                l->at = at;
                l->room = room;
        }
        l->at[l->n++] = *k;
        return 0;
}

static int take_names(const struct cache *c, DIR *names, struct listing *l)
{
        struct dirent *d;
        struct known k;
        struct stat st;

        unlinkat(c->directory, temporary, 0); /* left by a writer that died */
        while ((d = readdir(names))) {
                if (is_hexadecimal(d->d_name, OLD_NAME_LEN))
                        unlinkat(c->directory, d->d_name, 0);
                if (!key_of(d->d_name, &k.key) || fstatat(c->directory, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISREG(st.st_mode))
                        continue;
                k.size = (uint64_t)st.st_size;
                k.cost = cost_of(k.size);
                k.used = st.st_mtim;
                int r = list(l, &k);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_what_is_there(struct cache *c)
{
        struct listing l = { 0 };
        int fd = openat(c->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *names = fd < 0 ? NULL : fdopendir(fd);
        if (!names) {
                int error = errno;
                if (fd >= 0)
                        close(fd);
                return -error;
        }
        int r = take_names(c, names, &l);
        closedir(names);
        if (l.n > 0)
                qsort(l.at, l.n, sizeof *l.at, earlier);
        for (size_t i = 0; i < l.n && r == 0; i++)
                r = cache_index_learn(&c->index, &l.at[i]) ? 0 : -ENOMEM;
        free(l.at);
        return r;
}

int cache_new(struct cache **out, int directory, uint64_t max_bytes, struct err *e)
{
        struct cache *c = calloc(1, sizeof *c);
        if (!c)
                return err_set(e, ENOMEM, "the compile cache");
        c->directory = directory;
        c->max_bytes = max_bytes;
        cache_index_init(&c->index);
        int r = take_what_is_there(c);
        if (r < 0) {
                cache_free(c);
                return err_set(e, -r, "the directory of the compile cache");
        }
        keep_bound(c);
        *out = c;
        return 0;
}

void cache_free(struct cache *c)
{
        if (!c)
                return;
        cache_index_fini(&c->index);
        free(c);
}

void cache_bound(struct cache *c, uint64_t max_bytes)
{
        c->max_bytes = max_bytes;
        keep_bound(c);
}

uint64_t cache_bytes(const struct cache *c)
{
        return c->index.bytes;
}

size_t cache_count(const struct cache *c)
{
        return c->index.count;
}

/* ---------------------------------------------------------------- in and out */

/* Records the use in the file's time, so that the order survives a restart. */
static void touch(struct cache *c, struct known *k, int fd)
{
        struct timespec now;

        cache_index_use(&c->index, k);
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec - k->used.tv_sec < TOUCH_AFTER_S && now.tv_sec >= k->used.tv_sec)
                return;
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, now };
        futimens(fd, times); /* if it fails, the entry is removed a little too early */
        k->used = now;
}

int cache_get(struct cache *c, const struct cache_key *key, struct cached **out, struct cache_content *content,
              struct err *e)
{
        char name[NAME_LEN + 1];
        struct known *k = cache_index_find(&c->index, key);
        if (!k)
                return CACHE_MISS;

        name_of(key, name);
        OWN_FD int fd = openat(c->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        int r = fd < 0 ? err_set(e, errno, "opening an entry") : cache_entry_read(fd, key, k->size, out, content, e);
        if (r < 0) {
                if (r != -ENOMEM)
                        discard(c, k);
                return r;
        }
        touch(c, k, fd);
        return CACHE_HIT;
}

static int write_entry(const struct cache *c, const struct cache_key *key, const struct cache_content *content,
                       struct err *e)
{
        char name[NAME_LEN + 1];

        name_of(key, name);
        OWN_FD int fd = openat(c->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_set(e, errno, "making an entry");
        int r = cache_entry_write(fd, key, content, e);
        if (r == 0 && renameat(c->directory, temporary, c->directory, name) < 0)
                r = err_set(e, errno, "naming an entry");
        if (r < 0)
                unlinkat(c->directory, temporary, 0);
        return r;
}

int cache_put(struct cache *c, const struct cache_key *key, const struct cache_content *content, struct err *e)
{
        struct known new = { .key = *key, .size = cache_entry_size(content) };
        struct known *old = cache_index_find(&c->index, key);

        new.cost = cost_of(new.size);
        if (new.cost > c->max_bytes || new.size > CACHE_MAX_ENTRY)
                return 0;
        if (old)
                discard(c, old);
        clock_gettime(CLOCK_REALTIME, &new.used);
        if (!cache_index_learn(&c->index, &new))
                return err_set(e, ENOMEM, "an entry");
        /* The new entry counts for its client before room is made, so keep_bound may remove the new entry itself. */
        keep_bound(c);
        struct known *k = cache_index_find(&c->index, key);
        int r = k ? write_entry(c, key, content, e) : 0;
        if (r < 0)
                cache_index_forget(&c->index, k);
        return r;
}
