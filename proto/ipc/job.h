/* How the pool hands a job to a warm sandbox, over WARM_JOB: a header, a block of strings, then the files. The
 * sandbox's side is still Hatchery's own code at that point (no byte of the program has run), and closes the socket
 * before the program starts. So no program can forge the answer: nothing, or one job_failure if the job could not be
 * set up.
 *
 * Some languages translate the program in this very process. The translator reads the client's bytes while the socket
 * is open, and a bug in it may run a client's code. So the process sends JOB_STEP_TRANSLATE first, and can't take it
 * back. After that only one message counts: JOB_STEP_REFUSED, which carries no data. The status of a refusal is that of
 * the main process, as the zygote saw it.
 *
 * All integers are in host order: both ends are one build of one program. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/submission.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        JOB_MAGIC = 0x48544a31,
        JOB_PATH_MAX = 1028,       /* room for a name of WIRE_MAX_NAME bytes and its NUL */
        JOB_MAX_STRINGS = 1 << 30, /* bytes: no configuration allows a larger request */
        JOB_MAX_ERROR = 4095,      /* the kernel's own bound */
        JOB_MAX_TOLD = 2,          /* messages that may come back */
};

struct job_header {
        uint32_t magic;
        uint32_t n_args;
        uint32_t n_env;
        uint32_t n_files;
        uint32_t open_files;  /* RLIMIT_NOFILE, soft and hard */
        uint32_t stack_bytes; /* RLIMIT_STACK, soft: the hard limit is the same for all */
        uint32_t merge_stderr;
        uint32_t echo;       /* the value of a last expression is printed */
        uint32_t purpose;    /* enum job_purpose */
        uint32_t n_flags;    /* of the compiler */
        uint32_t unbuffered; /* standard output is not buffered */
        uint32_t n_interpreter_args;
        uint32_t fresh;        /* the job starts a fresh interpreter: for interpreter_args, interpreter or a terminal */
        uint32_t terminal;     /* descriptors 0 to 2 are a terminal */
        uint32_t prompt;       /* there is no program: the language's own prompt */
        uint32_t reserved;     /* 0: so that no hole carries bytes of the pool */
        uint64_t memory_bytes; /* the run's limit, for runtimes that size their heaps by it */
        uint64_t strings_size; /* entry, args, env as name=value, flags, interpreter_args, then
                                * interpreter; each ends with NUL */
};

struct job_file {
        uint64_t size;
        uint32_t mode;
        uint32_t name_len; /* without NUL, below JOB_PATH_MAX */
};

/* The purpose of the sandbox: only compiled programs have a step before the run. JOB_RUN_COMPILED: the artifacts of
 * that step are among the files. */
enum job_purpose { JOB_RUN, JOB_COMPILE, JOB_RUN_COMPILED };

/* The first three end the job; languages that translate send the others. */
enum job_step { JOB_STEP_READ = 1, JOB_STEP_FILE, JOB_STEP_LIMITS, JOB_STEP_TRANSLATE, JOB_STEP_REFUSED };

struct job_failure {
        uint32_t step;
        int32_t error;           /* an errno, 1 to JOB_MAX_ERROR; 0 for the last two steps */
        char name[JOB_PATH_MAX]; /* of the file, for JOB_STEP_FILE */
};

/* A job in the sandbox. The strings live in one block that is never freed: the process ends with the job. */
struct job {
        struct job_header header;
        const char *entry;       /* "": there is no program, but a prompt or interpreter_args */
        char **args;             /* n_args, then NULL */
        char **env;              /* n_env of name=value, then NULL */
        char **flags;            /* n_flags, then NULL */
        char **interpreter_args; /* n_interpreter_args, then NULL */
        const char *interpreter; /* "": the language's own */
};

/* The header and the string block in fresh memory that the caller frees; the pool sends it, then for each file a
 * job_file, the name and the content. The limits are those of the step; the sandbox sets two of them itself. */
int job_pack(const struct submission *x, struct span entry, uint32_t n_files, const int64_t limit[LIMIT_COUNT],
             enum job_purpose purpose, uint8_t **out, size_t *out_len, struct err *e);

/* Reads header and strings from a blocking socket. -EPIPE: closed before a job came. -EPROTO: the bytes are no job;
 * nothing is allocated for more strings than the block can hold. */
int job_read(int sock, struct job *job);

/* Interprets a sandbox's messages, when all of its processes are dead. bytes: the number of bytes that came back. It
 * may exceed the size of JOB_MAX_TOLD messages. JOB_TOLD_FAILURE: told[0] holds the failure, and its name ends with
 * NUL. A message that is not on the closed list counts as nothing; then the run's end is the one seen from outside.
 * Pure. */
enum job_told { JOB_TOLD_NOTHING, JOB_TOLD_FAILURE, JOB_TOLD_REFUSAL };
enum job_told job_told(struct job_failure told[JOB_MAX_TOLD], size_t bytes);
