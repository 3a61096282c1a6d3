/* Running one job: see worker.h. */
#include "zygote/sandbox/worker.h"

#include "lang/startup.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/ipc/job.h"
#include "zygote/sandbox/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 65536, EXIT_NO_JOB = 0, EXIT_JOB_FAILED = 125 };

/* The pool has checked every name: relative, no "..". Directories on the way are made as needed. */
static int make_parents(char *name)
{
        for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                int r = mkdir(name, 0755) < 0 && errno != EEXIST ? -errno : 0;
                *slash = '/';
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The buffer is only as large as the file: touching a page here makes the kernel copy or clear it, and the caller waits
 * for that. */
static int copy_content(int sock, int fd, uint64_t size)
{
        size_t chunk_size = size < CHUNK ? (size_t)size : CHUNK;
        OWN_MEM char *chunk = malloc(chunk_size ? chunk_size : 1);
        if (!chunk)
                return -ENOMEM;
        while (size > 0) {
                size_t n = size < chunk_size ? (size_t)size : chunk_size;
                int r = io_read_all(sock, chunk, n);
                if (r == 0)
                        r = io_write_all(fd, chunk, n);
                if (r < 0)
                        return r;
                size -= n;
        }
        return 0;
}

/* name has room for JOB_PATH_MAX bytes and holds the file's name afterwards, for the report of a failure. */
static int place_file(int sock, char *name)
{
        struct job_file f;
        int r = io_read_all(sock, &f, sizeof f);
        if (r < 0)
                return r;
        if (f.name_len >= JOB_PATH_MAX)
                return -ENAMETOOLONG;
        r = io_read_all(sock, name, f.name_len);
        name[f.name_len] = '\0';
        if (r == 0)
                r = make_parents(name);
        if (r < 0)
                return r;

        OWN_FD int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        r = copy_content(sock, fd, f.size);
        if (r == 0 && f.mode != 0 && f.mode != 0644 && fchmod(fd, f.mode & 0777) < 0)
                r = -errno;
        return r;
}

/* Reports a step of the job. A failed write is ignored, because the pool learns of the sandbox's end in any case. */
static void tell(int sock, enum job_step step, int error, const char *name)
{
        struct job_failure f = { .step = step, .error = -error };
        snprintf(f.name, sizeof f.name, "%s", name);
        send(sock, &f, sizeof f, MSG_NOSIGNAL);
}

static int fail(int sock, enum job_step step, int error, const char *name)
{
        tell(sock, step, error, name);
        return EXIT_JOB_FAILED;
}

/* Translates the program. Returns 0, or the exit status of a refusal. It sends a message first, which limits the
 * messages that may follow (proto/ipc/job.h). */
static int translate(int sock, const struct lang *lang, void *state, const struct job *job)
{
        tell(sock, JOB_STEP_TRANSLATE, 0, "");
        int status = lang->compile(state, job);
        if (status != 0)
                tell(sock, JOB_STEP_REFUSED, 0, "");
        return status < 0 || status > UINT8_MAX ? 1 : status;
}

int worker_run(int sock, const struct lang *lang, void *state)
{
        struct job job;
        char name[JOB_PATH_MAX] = "";

        int r = job_read(sock, &job);
        if (r == -EPIPE)
                return EXIT_NO_JOB;
        if (r < 0)
                return fail(sock, JOB_STEP_READ, r, "");
        for (uint32_t i = 0; i < job.header.n_files; i++) {
                r = place_file(sock, name);
                if (r < 0)
                        return fail(sock, JOB_STEP_FILE, r, name);
        }
        if (job.header.merge_stderr && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
                return fail(sock, JOB_STEP_LIMITS, -errno, "");
        r = limits_open_files(job.header.open_files);
        if (r == 0)
                r = limits_stack(job.header.stack_bytes);
        if (r < 0)
                return fail(sock, JOB_STEP_LIMITS, r, "");
        r = lang->compile ? translate(sock, lang, state, &job) : 0;
        close(sock);
        if (r == 0)
                r = startup_begin(lang, &job);
        return r >= 0 ? r : lang->run(state, &job);
}
