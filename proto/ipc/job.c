/* Jobs from pool to sandbox: see job.h. */
#include "proto/ipc/job.h"

#include "proto/base/io.h"
#include "proto/base/own.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static uint8_t *put(uint8_t *at, struct span s)
{
        if (s.len > 0)
                memcpy(at, s.data, s.len);
        return at + s.len;
}

static uint8_t *put_byte(uint8_t *at, uint8_t byte)
{
        *at = byte;
        return at + 1;
}

int job_pack(const struct submission *x, struct span entry, uint32_t n_files, const int64_t limit[LIMIT_COUNT],
             enum job_purpose purpose, uint8_t **out, size_t *out_len, struct err *e)
{
        struct job_header h = {
                .magic = JOB_MAGIC,
                .n_args = (uint32_t)x->n_args,
                .n_env = (uint32_t)x->n_env,
                .n_files = n_files,
                .open_files = (uint32_t)limit[LIMIT_OPEN_FILES],
                .stack_bytes = (uint32_t)limit[LIMIT_STACK],
                .merge_stderr = x->merge_stderr,
                .echo = x->echo_last_expression,
                .purpose = purpose,
                .n_flags = (uint32_t)x->n_compile_flags,
                .memory_bytes = (uint64_t)limit[LIMIT_MEMORY],
                .unbuffered = x->unbuffered,
                .n_interpreter_args = (uint32_t)x->n_interpreter_args,
                .fresh = purpose != JOB_COMPILE && submission_is_fresh(x),
                .terminal = purpose != JOB_COMPILE && x->has_terminal,
                .prompt = entry.len == 0 && x->n_interpreter_args == 0,
                .strings_size = entry.len + 1 + x->interpreter.len + 1,
        };
        for (size_t i = 0; i < x->n_args; i++)
                h.strings_size += x->args[i].len + 1;
        for (size_t i = 0; i < x->n_env; i++)
                h.strings_size += x->env[i].name.len + 1 + x->env[i].value.len + 1;
        for (size_t i = 0; i < x->n_compile_flags; i++)
                h.strings_size += x->compile_flags[i].len + 1;
        for (size_t i = 0; i < x->n_interpreter_args; i++)
                h.strings_size += x->interpreter_args[i].len + 1;

        size_t size = sizeof h + h.strings_size;
        uint8_t *packed = malloc(size);
        if (!packed)
                return err_set(e, ENOMEM, "packing a job of %zu bytes", size);

        uint8_t *at = put(packed, (struct span){ (const uint8_t *)&h, sizeof h });
        at = put_byte(put(at, entry), '\0');
        for (size_t i = 0; i < x->n_args; i++)
                at = put_byte(put(at, x->args[i]), '\0');
        for (size_t i = 0; i < x->n_env; i++) {
                at = put_byte(put(at, x->env[i].name), '=');
                at = put_byte(put(at, x->env[i].value), '\0');
        }
        for (size_t i = 0; i < x->n_compile_flags; i++)
                at = put_byte(put(at, x->compile_flags[i]), '\0');
        for (size_t i = 0; i < x->n_interpreter_args; i++)
                at = put_byte(put(at, x->interpreter_args[i]), '\0');
        put_byte(put(at, x->interpreter), '\0');

        *out = packed;
        *out_len = size;
        return 0;
}

static bool says(const struct job_failure *f, enum job_step step)
{
        return f->step == step && f->error == 0 && f->name[0] == '\0';
}

enum job_told job_told(struct job_failure told[JOB_MAX_TOLD], size_t bytes)
{
        if (bytes == sizeof told[0]) {
                told[0].name[sizeof told[0].name - 1] = '\0';
                bool fails = told[0].step >= JOB_STEP_READ && told[0].step <= JOB_STEP_LIMITS;
                return fails && told[0].error > 0 && told[0].error <= JOB_MAX_ERROR ? JOB_TOLD_FAILURE
                                                                                    : JOB_TOLD_NOTHING;
        }
        bool refused =
                bytes == 2 * sizeof told[0] && says(&told[0], JOB_STEP_TRANSLATE) && says(&told[1], JOB_STEP_REFUSED);
        return refused ? JOB_TOLD_REFUSAL : JOB_TOLD_NOTHING;
}

/* The next string of the block, or NULL if the block ends too early. */
static char *next_string(char **at, const char *end)
{
        char *start = *at;
        char *nul = memchr(start, '\0', (size_t)(end - start));
        if (!nul)
                return NULL;
        *at = nul + 1;
        return start;
}

static char **next_strings(char **at, const char *end, size_t n)
{
        OWN_MEM char **list = calloc(n + 1, sizeof *list);
        if (!list)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                list[i] = next_string(at, end);
                if (!list[i])
                        return NULL;
        }
        return own_steal_ptr(&list);
}

int job_read(int sock, struct job *job)
{
        int r = io_read_all(sock, &job->header, sizeof job->header);
        if (r < 0)
                return r;
        if (job->header.magic != JOB_MAGIC)
                return -EPROTO;

        /* The least size of all strings, since each has at least its NUL. */
        uint64_t least = 2 + (uint64_t)job->header.n_args + job->header.n_env + job->header.n_flags +
                         job->header.n_interpreter_args;
        if (job->header.strings_size > JOB_MAX_STRINGS || job->header.strings_size < least)
                return -EPROTO;
        size_t size = (size_t)job->header.strings_size;
        OWN_MEM char *strings = malloc(size);
        if (!strings)
                return -ENOMEM;
        r = io_read_all(sock, strings, size);
        if (r < 0)
                return r;

        char *at = strings;
        const char *end = strings + size;
        const char *entry = next_string(&at, end);
        OWN_MEM char **args = entry ? next_strings(&at, end, job->header.n_args) : NULL;
        OWN_MEM char **env = args ? next_strings(&at, end, job->header.n_env) : NULL;
        OWN_MEM char **flags = env ? next_strings(&at, end, job->header.n_flags) : NULL;
        OWN_MEM char **words = flags ? next_strings(&at, end, job->header.n_interpreter_args) : NULL;
        const char *interpreter = words ? next_string(&at, end) : NULL;
        if (!interpreter)
                return -EPROTO;
        job->entry = entry;
        job->args = own_steal_ptr(&args);
        job->env = own_steal_ptr(&env);
        job->flags = own_steal_ptr(&flags);
        job->interpreter_args = own_steal_ptr(&words);
        job->interpreter = interpreter;
        own_steal_ptr(&strings);
        return 0;
}
