/* Fuzzes the stream of files that comes back from a sandbox: pool/core/collector, with pool/base/feed and
 * proto/base/utf8 below it. Input: the bytes of the other end. */
#include "pool/core/collector.h"

#include "proto/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_STREAM = 1 << 16, MAX_FILES = 8, MAX_BYTES = 4096 };

static void on_done(void *arg)
{
        ++*(int *)arg;
}

static void check_files(struct collector *c)
{
        size_t n = 0;
        uint64_t bytes = 0;
        const struct file_span *files = collector_files(c, &n);
        FUZZ_CHECK(n <= MAX_FILES);
        for (size_t i = 0; i < n; i++) {
                const struct file_span *f = &files[i];
                FUZZ_CHECK(f->name.len > 0 && f->name.data[0] != '/' && f->mode <= 0777);
                FUZZ_CHECK(utf8_prefix(f->name.data, f->name.len) == f->name.len);
                FUZZ_CHECK(!memchr(f->name.data, '\0', f->name.len));
                if (f->raw_name.len > 0)
                        FUZZ_CHECK(utf8_prefix(f->raw_name.data, f->raw_name.len) < f->raw_name.len);
                uint8_t *copy = fuzz_copy(f->content.data, f->content.len); /* reads every byte */
                free(copy);
                bytes += f->content.len;
        }
        FUZZ_CHECK(bytes <= MAX_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct event_base *base; /* one for all inputs; a pointer to it stays, so it is no leak */
        const struct span glob = { (const uint8_t *)"**/*", 4 };
        const struct file_span given = { .name = glob, .content = glob, .mode = 0644 };
        const struct collector_task task = {
                .globs = &glob,
                .n_globs = 1,
                .max_files = MAX_FILES,
                .max_bytes = MAX_BYTES,
                .max_us = 1000000,
                .given = &given,
                .n_given = size % 2,
        };
        struct collector *c = NULL;
        struct err e = { 0 };
        int sandbox_end = -1, done = 0;

        if (size > MAX_STREAM)
                return 0;
        if (!base)
                base = event_base_new();
        FUZZ_CHECK(base && collector_new(&c, base, &task, on_done, &done, &sandbox_end, &e) == 0);
        FUZZ_CHECK(send(sandbox_end, data, size, MSG_NOSIGNAL) == (ssize_t)size);
        shutdown(sandbox_end, SHUT_WR);
        while (!done)
                FUZZ_CHECK(event_base_loop(base, EVLOOP_ONCE) == 0);
        FUZZ_CHECK(done == 1);
        check_files(c);
        FUZZ_CHECK(!collector_is_broken(c) || collector_note(c));
        collector_free(c);
        close(sandbox_end);
        return 0;
}
