/* The compile cache: see cache.h. Here is which entries there are, and what goes when there are too many; cache_entry.c
 * is what is in one. */
#include "pool/cache.h"

#include "pool/cache_entry.h"
#include "proto/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
        NAME_LEN = 2 * CACHE_KEY_SIZE,
        TOUCH_AFTER_S = 60, /* the time of a file is that of its last use, but for this */
        ENTRY_COST = 4096,  /* what an entry takes beside its bytes: a part of a block, an inode, its place here */
};

static const char temporary[] = "unfinished"; /* one, since there is one writer */

/* What is known of an entry without looking into it. */
struct known {
        struct cache_key key; /* first: it is compared */
        uint64_t size;        /* of the file */
        struct timespec used;
        TAILQ_ENTRY(known) link;
};

TAILQ_HEAD(known_list, known);

struct cache {
        int directory;
        uint64_t max_bytes, bytes;
        size_t count;
        void *by_key;           /* a tree of tsearch */
        struct known_list used; /* what was used last at the end */
};

static int compare(const void *a, const void *b)
{
        return memcmp(((const struct known *)a)->key.bytes, ((const struct known *)b)->key.bytes, CACHE_KEY_SIZE);
}

/* ---------------------------------------------------------------- names */

static void name_of(const struct cache_key *key, char name[NAME_LEN + 1])
{
        for (size_t i = 0; i < CACHE_KEY_SIZE; i++)
                snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_of(const char *name, struct cache_key *key)
{
        if (strlen(name) != NAME_LEN)
                return false;
        for (size_t i = 0; i < CACHE_KEY_SIZE; i++) {
                int high = digit(name[2 * i]), low = digit(name[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                key->bytes[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

/* ---------------------------------------------------------------- what is known */

static uint64_t cost(const struct known *k)
{
        return k->size + ENTRY_COST;
}

static struct known *find(const struct cache *c, const struct cache_key *key)
{
        struct known wanted = { .key = *key };
        void *found = tfind(&wanted, &c->by_key, compare);
        return found ? *(struct known **)found : NULL;
}

static int learn(struct cache *c, const struct known *is)
{
        struct known *k = malloc(sizeof *k);
        if (!k)
                return -ENOMEM;
        *k = *is;
        if (!tsearch(k, &c->by_key, compare)) {
                free(k);
                return -ENOMEM;
        }
        TAILQ_INSERT_TAIL(&c->used, k, link);
        c->bytes += cost(k);
        c->count++;
        return 0;
}

static void forget(struct cache *c, struct known *k)
{
        tdelete(k, &c->by_key, compare);
        TAILQ_REMOVE(&c->used, k, link);
        c->bytes -= cost(k);
        c->count--;
        free(k);
}

static void discard(struct cache *c, struct known *k)
{
        char name[NAME_LEN + 1];

        name_of(&k->key, name);
        unlinkat(c->directory, name, 0); /* what can't be removed is no more of use than what is gone */
        forget(c, k);
}

/* The least recently used go until so much more would fit. */
static void make_room(struct cache *c, uint64_t more)
{
        struct known *k;
        while (c->bytes + more > c->max_bytes && (k = TAILQ_FIRST(&c->used)))
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

        unlinkat(c->directory, temporary, 0); /* it was being written when its writer died */
        while ((d = readdir(names))) {
                if (!key_of(d->d_name, &k.key) || fstatat(c->directory, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISREG(st.st_mode))
                        continue;
                k.size = (uint64_t)st.st_size;
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
                r = learn(c, &l.at[i]);
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
        TAILQ_INIT(&c->used);
        int r = take_what_is_there(c);
        if (r < 0) {
                cache_free(c);
                return err_set(e, -r, "the directory of the compile cache");
        }
        make_room(c, 0);
        *out = c;
        return 0;
}

void cache_free(struct cache *c)
{
        struct known *k;

        if (!c)
                return;
        while ((k = TAILQ_FIRST(&c->used)))
                forget(c, k);
        free(c);
}

void cache_bound(struct cache *c, uint64_t max_bytes)
{
        c->max_bytes = max_bytes;
        make_room(c, 0);
}

uint64_t cache_bytes(const struct cache *c)
{
        return c->bytes;
}

size_t cache_count(const struct cache *c)
{
        return c->count;
}

/* ---------------------------------------------------------------- in and out */

/* So that the order is still there after a restart. */
static void touch(struct cache *c, struct known *k, int fd)
{
        struct timespec now;

        TAILQ_REMOVE(&c->used, k, link);
        TAILQ_INSERT_TAIL(&c->used, k, link);
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec - k->used.tv_sec < TOUCH_AFTER_S && now.tv_sec >= k->used.tv_sec)
                return;
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, now };
        futimens(fd, times); /* at worst it goes a little early */
        k->used = now;
}

int cache_get(struct cache *c, const struct cache_key *key, struct cached **out, struct cache_content *content,
              struct err *e)
{
        char name[NAME_LEN + 1];
        struct known *k = find(c, key);
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

int cache_put(struct cache *c, const struct cache_key *key, const struct cache_content *content, struct err *e)
{
        struct known new = { .key = *key, .size = cache_entry_size(content) }, *old = find(c, key);
        char name[NAME_LEN + 1];

        if (cost(&new) > c->max_bytes || new.size > CACHE_MAX_ENTRY)
                return 0;
        if (old)
                discard(c, old);
        make_room(c, cost(&new));
        name_of(key, name);
        OWN_FD int fd = openat(c->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_set(e, errno, "making an entry");
        int r = cache_entry_write(fd, key, content, e);
        if (r == 0 && renameat(c->directory, temporary, c->directory, name) < 0)
                r = err_set(e, errno, "naming an entry");
        if (r < 0) {
                unlinkat(c->directory, temporary, 0);
                return r;
        }
        clock_gettime(CLOCK_REALTIME, &new.used);
        r = learn(c, &new);
        if (r < 0) {
                unlinkat(c->directory, name, 0);
                return err_set(e, -r, "an entry");
        }
        return 0;
}
