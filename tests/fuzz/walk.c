/* Fuzzes the search for output files in a dead sandbox: zygote/init/collect_files, proto/base/glob, proto/base/io, over
 * a small directory with a link, a FIFO and odd names. Input: the request, as the pool sends it. */
#include "zygote/init/collect_files.h"

#include "proto/ipc/collect.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_STREAM = 1 << 15, MAX_ANSWER = 1 << 16 };

static const char *const files[] = { "a.txt", "b.py", "d/a.txt", "d/e/f", "d/\xff", "two words" };
static char top[64];
static int directory = -1;

static void remove_tree(void)
{
        static const char *const others[] = { "link", "fifo" };
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
                unlinkat(directory, files[i], 0);
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
                unlinkat(directory, others[i], 0);
        unlinkat(directory, "d/e", AT_REMOVEDIR);
        unlinkat(directory, "d", AT_REMOVEDIR);
        close(directory);
        rmdir(top);
}

static void make_tree_once(void)
{
        if (directory >= 0)
                return;
        snprintf(top, sizeof top, "/tmp/hatchery-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(top));
        directory = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        atexit(remove_tree);
        FUZZ_CHECK(mkdirat(directory, "d", 0700) == 0 && mkdirat(directory, "d/e", 0700) == 0);
        FUZZ_CHECK(symlinkat("/etc/passwd", directory, "link") == 0 && mkfifoat(directory, "fifo", 0600) == 0);
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
                int fd = openat(directory, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                FUZZ_CHECK(fd >= 0 && write(fd, files[i], i) == (ssize_t)i);
                close(fd);
        }
}

static bool is_file(const uint8_t *name, size_t len, uint64_t size)
{
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
                if (strlen(files[i]) == len && memcmp(files[i], name, len) == 0)
                        return size == i;
        return false;
}

/* The answer must have records of existing files only, within the bounds, and one end. */
static void check_answer(struct fuzz_input in, const struct collect_request *q)
{
        uint64_t n = 0, bytes = 0;
        for (;;) {
                struct collect_record r;
                FUZZ_CHECK(in.len >= sizeof r);
                memcpy(&r, in.data, sizeof r);
                in.data += sizeof r;
                in.len -= sizeof r;
                if (r.kind == COLLECT_END) {
                        FUZZ_CHECK(in.len == 0 && r.reason <= COLLECT_UNREADABLE);
                        return;
                }
                FUZZ_CHECK(r.kind == COLLECT_FILE && in.len >= r.name_len + r.size);
                FUZZ_CHECK(is_file(in.data, r.name_len, r.size));
                bytes += r.size;
                FUZZ_CHECK(++n <= q->max_files && bytes <= q->max_bytes);
                in.data += r.name_len + r.size;
                in.len -= r.name_len + r.size;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t answer[MAX_ANSWER];
        struct collect_request q;
        int pair[2];

        if (size > MAX_STREAM)
                return 0;
        make_tree_once();
        FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        FUZZ_CHECK(send(pair[0], data, size, MSG_NOSIGNAL) == (ssize_t)size);
        shutdown(pair[0], SHUT_WR);
        collect_files(directory, pair[1]);
        close(pair[1]);
        size_t have = 0;
        ssize_t n;
        while ((n = recv(pair[0], answer + have, sizeof answer - have, 0)) > 0)
                have += (size_t)n;
        close(pair[0]);
        if (have > 0) {
                FUZZ_CHECK(size >= sizeof q);
                memcpy(&q, data, sizeof q);
                check_answer((struct fuzz_input){ answer, have }, &q);
        }
        return 0;
}
