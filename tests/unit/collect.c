/* Reading a dead sandbox's files: zygote/init/collect_files.h, over a directory of this test's own. */
#include "proto/base/io.h"
#include "unit.h"

#include "proto/ipc/collect.h"
#include "proto/ipc/job.h"
#include "zygote/init/collect_files.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
        char path[64];
        int directory;
        int sock[2]; /* the pool's end, init's end */
};

static int set_up(void **state)
{
        static struct fixture f;
        snprintf(f.path, sizeof f.path, "/tmp/hatchery-collect-XXXXXX");
        assert_non_null(mkdtemp(f.path));
        f.directory = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f.directory >= 0);
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, f.sock), 0);
        *state = &f;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
        (void)st, (void)kind, (void)where;
        return remove(path);
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        close(f->directory);
        close(f->sock[0]);
        return nftw(f->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_file(struct fixture *f, const char *name, const char *content)
{
        int fd = openat(f->directory, name, O_WRONLY | O_CREAT | O_EXCL, 0640);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        close(fd);
}

static void *serve(void *arg)
{
        struct fixture *f = arg;
        collect_files(f->directory, f->sock[1]);
        close(f->sock[1]);
        return NULL;
}

/* Runs one collection and writes "name=content;" for each file to got; returns the closing record's reason. */
static uint32_t collect(struct fixture *f, const char *pattern, uint32_t max_files, uint64_t max_bytes, char *got,
                        size_t size)
{
        struct collect_request q = {
                .max_files = max_files,
                .patterns_size = (uint32_t)strlen(pattern) + 1,
                .max_bytes = max_bytes,
                .max_us = 5000000,
        };
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, serve, f), 0);
        assert_int_equal(send(f->sock[0], &q, sizeof q, 0), sizeof q);
        assert_int_equal(send(f->sock[0], pattern, q.patterns_size, 0), q.patterns_size);

        struct collect_record r;
        size_t used = 0;
        got[0] = '\0';
        for (;;) {
                char name[4096], content[256];
                assert_int_equal(io_read_all(f->sock[0], &r, sizeof r), 0);
                if (r.kind == COLLECT_END)
                        break;
                assert_int_equal(r.kind, COLLECT_FILE);
                assert_true(r.name_len < sizeof name && r.size < sizeof content);
                assert_int_equal(io_read_all(f->sock[0], name, r.name_len), 0);
                assert_int_equal(io_read_all(f->sock[0], content, r.size), 0);
                used += (size_t)snprintf(got + used, size - used, "%.*s=%.*s;", (int)r.name_len, name, (int)r.size,
                                         content);
        }
        pthread_join(thread, NULL);
        return r.reason;
}

static void files_come_sorted_with_their_content(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "b.txt", "two");
        put_file(f, "a.txt", "one");
        put_file(f, "c.bin", "no");
        assert_int_equal(mkdirat(f->directory, "d", 0700), 0);
        put_file(f, "d/e.txt", "three");
        assert_int_equal(collect(f, "**/*.txt", 10, 1000, got, sizeof got), COLLECT_COMPLETE);
        assert_string_equal(got, "a.txt=one;b.txt=two;d/e.txt=three;");
}

static void links_and_pipes_are_not_followed(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "real", "r");
        assert_int_equal(symlinkat("/etc/passwd", f->directory, "link"), 0);
        assert_int_equal(symlinkat("/etc", f->directory, "directory-link"), 0);
        assert_int_equal(mkfifoat(f->directory, "pipe", 0600), 0);
        assert_int_equal(collect(f, "**", 10, 1000, got, sizeof got), COLLECT_COMPLETE);
        assert_string_equal(got, "real=r;");
}

static void ceilings_hold_and_are_told(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "a", "12345");
        put_file(f, "b", "1234567890");
        put_file(f, "c", "12");
        assert_int_equal(collect(f, "*", 10, 8, got, sizeof got), COLLECT_TOO_LARGE);
        assert_string_equal(got, "a=12345;c=12;");
}

static void the_number_of_files_is_bounded(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "a", "1");
        put_file(f, "b", "2");
        put_file(f, "c", "3");
        assert_int_equal(collect(f, "*", 2, 100, got, sizeof got), COLLECT_TOO_MANY);
        assert_string_equal(got, "a=1;b=2;");
}

static void a_sparse_giant_is_left_out(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "giant", "");
        int fd = openat(f->directory, "giant", O_WRONLY);
        assert_int_equal(ftruncate(fd, 1LL << 40), 0);
        close(fd);
        put_file(f, "small", "s");
        assert_int_equal(collect(f, "*", 10, 1000, got, sizeof got), COLLECT_TOO_LARGE);
        assert_string_equal(got, "small=s;");
}

static void deep_trees_end_at_the_bound(void **state)
{
        struct fixture *f = *state;
        char got[512];
        int at = dup(f->directory);
        for (int i = 0; i < COLLECT_MAX_DEPTH + 10; i++) {
                assert_int_equal(mkdirat(at, "d", 0700), 0);
                int next = openat(at, "d", O_RDONLY | O_DIRECTORY);
                close(at);
                at = next;
        }
        close(openat(at, "bottom", O_WRONLY | O_CREAT, 0600));
        close(at);
        put_file(f, "top", "t");
        assert_int_equal(collect(f, "**", 10, 1000, got, sizeof got), COLLECT_TOO_DEEP);
        assert_string_equal(got, "top=t;");
}

static void names_are_bytes(void **state)
{
        struct fixture *f = *state;
        char got[512];
        put_file(f, "\xff\xfe new\nline", "x");
        assert_int_equal(collect(f, "*", 10, 1000, got, sizeof got), COLLECT_COMPLETE);
        assert_string_equal(got, "\xff\xfe new\nline=x;");
}

static void a_pool_that_goes_away_ends_it(void **state)
{
        struct fixture *f = *state;
        pthread_t thread;
        shutdown(f->sock[0], SHUT_RDWR);
        assert_int_equal(pthread_create(&thread, NULL, serve, f), 0);
        pthread_join(thread, NULL);
}

#define COLLECT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                COLLECT_TEST(files_come_sorted_with_their_content),
                COLLECT_TEST(links_and_pipes_are_not_followed),
                COLLECT_TEST(ceilings_hold_and_are_told),
                COLLECT_TEST(the_number_of_files_is_bounded),
                COLLECT_TEST(a_sparse_giant_is_left_out),
                COLLECT_TEST(deep_trees_end_at_the_bound),
                COLLECT_TEST(names_are_bytes),
                COLLECT_TEST(a_pool_that_goes_away_ends_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
