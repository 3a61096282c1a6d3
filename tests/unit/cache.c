/* The compile cache: entries come out as they were put in, survive a restart, and stay within a bound that clients
 * share. A damaged entry is never handed out. */
#include "pool/cache/cache.h"

#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NO_BOUND = 1 << 30 };

struct fixture {
        char path[64];
        int directory;
        struct cache *cache;
        uint8_t peer, name;
        struct err e;
};

static void open_cache(struct fixture *f, uint64_t max)
{
        assert_int_equal(cache_new(&f->cache, f->directory, max, &f->e), 0);
}

static int set_up(void **state)
{
        struct fixture *f = test_calloc(1, sizeof *f);
        strcpy(f->path, "/tmp/hatchery-cache-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->directory = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->directory >= 0);
        open_cache(f, NO_BOUND);
        *state = f;
        return 0;
}

/* Counts the files in the directory; *name is the last one's name. */
static unsigned files_there(const struct fixture *f, char name[256])
{
        unsigned n = 0;
        DIR *d = opendir(f->path);
        struct dirent *entry;
        assert_non_null(d);
        while ((entry = readdir(d)))
                if (entry->d_name[0] != '.') {
                        snprintf(name, 256, "%s", entry->d_name);
                        n++;
                }
        closedir(d);
        return n;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        char name[256];
        cache_free(f->cache);
        while (files_there(f, name) > 0)
                unlinkat(f->directory, name, 0);
        close(f->directory);
        assert_int_equal(rmdir(f->path), 0);
        test_free(f);
        return 0;
}

/* Sets the owner of the entries that the next lines use. */
static void become(struct fixture *f, uint8_t peer, uint8_t name)
{
        f->peer = peer;
        f->name = name;
}

static struct cache_key key(const struct fixture *f, uint8_t n)
{
        struct cache_key k = { .peer = { f->peer }, .name = { f->peer, f->name }, .bytes = { n, 0xab } };
        return k;
}

static void put(struct fixture *f, uint8_t n, size_t size)
{
        OWN_MEM uint8_t *bytes = malloc(size ? size : 1);
        assert_non_null(bytes);
        memset(bytes, n, size);
        const struct file_span files[] = {
                { .name = span_of_text("main"), .content = { bytes, size }, .mode = 0755 },
                { .name = span_of_text("lib/a.so"), .content = span_of_text(""), .mode = 0644 },
        };
        const struct cache_content content = {
                .files = files, .n_files = 2, .err = span_of_text("warning"), .err_truncated = true
        };
        const struct cache_key k = key(f, n);
        if (cache_put(f->cache, &k, &content, &f->e) != 0)
                fail_msg("%s", f->e.text);
}

/* True if the entry is there; it must then be whole. */
static bool has(struct fixture *f, uint8_t n, size_t size)
{
        const struct cache_key k = key(f, n);
        struct cache_content content;
        struct cached *cached = NULL;
        int r = cache_get(f->cache, &k, &cached, &content, &f->e);
        if (r != CACHE_HIT) {
                assert_null(cached);
                return false;
        }
        assert_int_equal(content.n_files, 2);
        assert_span_text(content.files[0].name, "main");
        assert_int_equal(content.files[0].mode, 0755);
        assert_int_equal(content.files[0].content.len, size);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(content.files[0].content.data[i], n);
        assert_span_text(content.files[1].name, "lib/a.so");
        assert_int_equal(content.files[1].content.len, 0);
        assert_span_text(content.err, "warning");
        assert_int_equal(content.out.len, 0);
        assert_true(content.err_truncated && !content.out_truncated);
        assert_true(cached_size(cached) > size);
        cached_free(cached);
        return true;
}

static void reopen(struct fixture *f, uint64_t max)
{
        cache_free(f->cache);
        open_cache(f, max);
}

static void what_is_put_in_comes_out_and_nothing_else(void **state)
{
        struct fixture *f = *state;
        assert_false(has(f, 1, 0));
        put(f, 1, 1000);
        put(f, 2, 3 << 20);
        assert_true(has(f, 1, 1000));
        assert_true(has(f, 2, 3 << 20));
        assert_false(has(f, 3, 0));
        put(f, 1, 0);
        assert_true(has(f, 1, 0));
        assert_int_equal(cache_count(f->cache), 2);
}

static void entries_survive_a_restart(void **state)
{
        struct fixture *f = *state;
        put(f, 1, 1000);
        put(f, 2, 2000);
        uint64_t bytes = cache_bytes(f->cache);
        reopen(f, NO_BOUND);
        assert_int_equal(cache_count(f->cache), 2);
        assert_true(cache_bytes(f->cache) == bytes);
        assert_true(has(f, 1, 1000));
        assert_true(has(f, 2, 2000));
}

static void the_bound_holds_and_the_least_recently_used_goes(void **state)
{
        struct fixture *f = *state;
        char name[256];
        cache_bound(f->cache, 70000);
        for (uint8_t n = 1; n <= 4; n++)
                put(f, n, 10000); /* each entry takes some 14 KiB */
        assert_true(has(f, 1, 10000));
        put(f, 5, 10000);
        assert_true(cache_bytes(f->cache) <= 70000);
        assert_true(has(f, 1, 10000));
        assert_false(has(f, 2, 10000));
        assert_true(has(f, 3, 10000));
        assert_int_equal(files_there(f, name), cache_count(f->cache));

        put(f, 6, 80000); /* an entry above the bound is not kept, and nothing is removed for it */
        assert_false(has(f, 6, 80000));
        assert_int_equal(cache_count(f->cache), 4);
        put(f, 7, CACHE_MAX_ENTRY);
        assert_false(has(f, 7, CACHE_MAX_ENTRY));
        cache_bound(f->cache, 20000);
        assert_int_equal(cache_count(f->cache), 1);
        assert_true(has(f, 3, 10000));
        reopen(f, 0);
        assert_int_equal(files_there(f, name), 0);
}

/* Counts the entries from first to last that are there. */
static unsigned count(struct fixture *f, uint8_t first, uint8_t last)
{
        unsigned n = 0;
        for (uint8_t i = first; i <= last; i++)
                n += has(f, i, 10000);
        return n;
}

static void a_client_that_fills_the_cache_evicts_its_own(void **state)
{
        struct fixture *f = *state;
        cache_bound(f->cache, 150000);
        become(f, 1, 1);
        for (uint8_t n = 1; n <= 4; n++)
                put(f, n, 10000);
        become(f, 2, 1);
        for (uint8_t n = 1; n <= 40; n++)
                put(f, n, 10000);
        assert_true(has(f, 40, 10000)); /* the client keeps its newest entry, not its first */
        assert_false(has(f, 1, 10000));
        put(f, 41, 120000); /* an entry above the share is not kept, and no entry of others is removed for it */
        become(f, 1, 1);
        assert_int_equal(count(f, 1, 4), 4);
}

static void a_peer_gains_nothing_by_a_thousand_names(void **state)
{
        struct fixture *f = *state;
        cache_bound(f->cache, 150000);
        become(f, 1, 1);
        for (uint8_t n = 1; n <= 4; n++)
                put(f, n, 10000);
        for (uint8_t n = 1; n <= 40; n++) {
                become(f, 2, n);
                put(f, 1, 10000);
        }
        become(f, 1, 1);
        assert_int_equal(count(f, 1, 4), 4);
        become(f, 1, 2); /* each name of a peer has its own share */
        for (uint8_t n = 1; n <= 40; n++)
                put(f, n, 10000);
        become(f, 1, 1);
        assert_in_range(count(f, 1, 4), 2, 4);
}

static void whose_an_entry_is_survives_a_restart(void **state)
{
        struct fixture *f = *state;
        become(f, 1, 1);
        put(f, 1, 10000);
        for (uint8_t n = 1; n <= 8; n++) {
                become(f, 2, n);
                put(f, n, 10000);
        }
        reopen(f, 70000);
        become(f, 1, 1);
        assert_true(has(f, 1, 10000));
        assert_int_equal(cache_count(f->cache), 4);
}

static void what_was_not_used_for_an_hour_goes_first(void **state)
{
        struct fixture *f = *state;
        char name[256];
        const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
        become(f, 1, 1);
        put(f, 1, 10000);
        assert_int_equal(files_there(f, name), 1);
        assert_int_equal(utimensat(f->directory, name, old, 0), 0);
        reopen(f, 60000);
        become(f, 2, 1);
        for (uint8_t n = 1; n <= 4; n++)
                put(f, n, 10000);
        assert_int_equal(count(f, 1, 4), 4);
        become(f, 1, 1);
        assert_false(has(f, 1, 10000));
}

static void entries_of_a_version_without_owners_are_removed(void **state)
{
        struct fixture *f = *state;
        char name[256], old[2 * CACHE_KEY_SIZE + 1] = "";
        memset(old, 'a', sizeof old - 1);
        close(openat(f->directory, old, O_WRONLY | O_CREAT, 0600));
        reopen(f, NO_BOUND);
        assert_int_equal(cache_count(f->cache), 0);
        assert_int_equal(files_there(f, name), 0);
}

static void the_order_of_use_survives_a_restart(void **state)
{
        struct fixture *f = *state;
        char name[256];
        const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
        put(f, 1, 10000);
        assert_int_equal(files_there(f, name), 1);
        assert_int_equal(utimensat(f->directory, name, old, 0), 0);
        put(f, 2, 10000);
        reopen(f, NO_BOUND);
        assert_true(has(f, 1, 10000)); /* this use is recorded, because the last one is long ago */
        reopen(f, 20000);
        assert_true(has(f, 1, 10000));
        assert_false(has(f, 2, 10000));
}

/* Changes every single byte of an entry, and cuts the entry to every shorter length. */
static void a_damaged_entry_is_never_handed_out_and_removed(void **state)
{
        struct fixture *f = *state;
        char name[256];
        put(f, 1, 50);
        assert_int_equal(files_there(f, name), 1);
        struct stat st;
        assert_int_equal(fstatat(f->directory, name, &st, 0), 0);

        for (off_t at = 0; at < st.st_size; at++) {
                uint8_t byte;
                OWN_FD int fd = openat(f->directory, name, O_RDWR);
                assert_true(fd >= 0);
                assert_int_equal(pread(fd, &byte, 1, at), 1);
                byte ^= 0x10;
                assert_int_equal(pwrite(fd, &byte, 1, at), 1);
                assert_false(has(f, 1, 50));
                assert_int_equal(f->e.code, EBADMSG);
                assert_int_equal(faccessat(f->directory, name, F_OK, 0), -1);
                assert_int_equal(cache_count(f->cache), 0);
                put(f, 1, 50);
        }
        for (off_t at = 0; at < st.st_size; at++) {
                OWN_FD int fd = openat(f->directory, name, O_RDWR);
                assert_true(fd >= 0);
                assert_int_equal(ftruncate(fd, at), 0);
                if (at % 2)
                        reopen(f, NO_BOUND); /* as after a loss of power: the length is unknown */
                assert_false(has(f, 1, 50));
                assert_int_equal(cache_count(f->cache), 0);
                put(f, 1, 50);
        }
        assert_true(has(f, 1, 50));
}

static void an_entry_under_another_ones_name_is_not_taken_for_it(void **state)
{
        struct fixture *f = *state;
        char from[256], to[256];
        put(f, 1, 50);
        assert_int_equal(files_there(f, from), 1);
        strcpy(to, from);
        to[2 * offsetof(struct cache_key, bytes) + 1] = '2';
        assert_int_equal(renameat(f->directory, from, f->directory, to), 0);
        reopen(f, NO_BOUND);
        assert_false(has(f, 2, 50));
        assert_int_equal(f->e.code, EBADMSG);
}

static void an_unfinished_entry_is_removed_and_foreign_files_are_left_alone(void **state)
{
        struct fixture *f = *state;
        char name[256];
        put(f, 1, 50);
        close(openat(f->directory, "unfinished", O_WRONLY | O_CREAT, 0600));
        close(openat(f->directory, "README", O_WRONLY | O_CREAT, 0600));
        assert_int_equal(mkdirat(f->directory, "0123456789abcdef", 0700), 0);
        reopen(f, NO_BOUND);
        assert_int_equal(cache_count(f->cache), 1);
        assert_int_equal(faccessat(f->directory, "unfinished", F_OK, 0), -1);
        assert_int_equal(faccessat(f->directory, "README", F_OK, 0), 0);
        assert_int_equal(files_there(f, name), 3);
        assert_int_equal(unlinkat(f->directory, "0123456789abcdef", AT_REMOVEDIR), 0);
}

static void a_link_in_place_of_an_entry_is_not_followed(void **state)
{
        struct fixture *f = *state;
        char name[256];
        put(f, 1, 50);
        assert_int_equal(files_there(f, name), 1);
        assert_int_equal(renameat(f->directory, name, f->directory, "elsewhere"), 0);
        assert_int_equal(symlinkat("elsewhere", f->directory, name), 0);
        assert_false(has(f, 1, 50));
        assert_int_equal(faccessat(f->directory, "elsewhere", F_OK, 0), 0);
}

int main(void)
{
#define CACHE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CACHE(what_is_put_in_comes_out_and_nothing_else),
                CACHE(entries_survive_a_restart),
                CACHE(the_bound_holds_and_the_least_recently_used_goes),
                CACHE(a_client_that_fills_the_cache_evicts_its_own),
                CACHE(a_peer_gains_nothing_by_a_thousand_names),
                CACHE(whose_an_entry_is_survives_a_restart),
                CACHE(what_was_not_used_for_an_hour_goes_first),
                CACHE(entries_of_a_version_without_owners_are_removed),
                CACHE(the_order_of_use_survives_a_restart),
                CACHE(a_damaged_entry_is_never_handed_out_and_removed),
                CACHE(an_entry_under_another_ones_name_is_not_taken_for_it),
                CACHE(an_unfinished_entry_is_removed_and_foreign_files_are_left_alone),
                CACHE(a_link_in_place_of_an_entry_is_not_followed),
        };
        return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
