/* Fuzzes how a sandbox reads its job, before the program starts: proto/ipc/job (job_read). Input: the bytes of the
 * socket. */
#include "proto/ipc/job.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_STREAM = 1 << 16, MAX_STRINGS = 1 << 20 };

/* A list's strings lie one after the other. */
static const char *check_list(char *const *list, uint32_t n, const char *at)
{
        for (uint32_t i = 0; i < n; i++) {
                FUZZ_CHECK(list[i] == at);
                at += strlen(at) + 1;
        }
        FUZZ_CHECK(!list[n]);
        return at;
}

/* All strings lie in the block behind the entry, one after the other. */
static void check_job(const struct job *job)
{
        const char *end = job->entry + job->header.strings_size;
        const char *at = job->entry + strlen(job->entry) + 1;
        at = check_list(job->args, job->header.n_args, at);
        at = check_list(job->env, job->header.n_env, at);
        at = check_list(job->flags, job->header.n_flags, at);
        at = check_list(job->interpreter_args, job->header.n_interpreter_args, at);
        FUZZ_CHECK(job->interpreter == at && at + strlen(at) < end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct job_header header;
        struct job job;
        int pair[2];

        if (size > MAX_STREAM)
                return 0;
        if (size >= sizeof header) {
                memcpy(&header, data, sizeof header);
                if (header.strings_size > MAX_STRINGS && header.strings_size <= JOB_MAX_STRINGS)
                        return 0; /* allowed, but needs too much memory for a fuzzer */
        }
        FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        FUZZ_CHECK(send(pair[0], data, size, MSG_NOSIGNAL) == (ssize_t)size);
        close(pair[0]);
        int r = job_read(pair[1], &job);
        if (r == 0) {
                check_job(&job);
                free(job.args);
                free(job.env);
                free(job.flags);
                free(job.interpreter_args);
                free((char *)job.entry); /* the start of the block */
        } else {
                FUZZ_CHECK(r == -EPIPE || r == -EPROTO);
        }
        close(pair[1]);
        return 0;
}
