/* Decoding Execute: see request.h. The tables below bound the memory that a client can make this process hold: every
 * row that takes memory or passes bytes on has a bound. */
#include "hatchery.pb.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/request_limits.h"
#include "proto/wire/request_parts.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int out_of_memory(struct err *e)
{
        return err_set(e, ENOMEM, "decoding a request");
}

static const struct pbspan_field file_fields[] = {
        { .tag = hatchery_v1_File_name_tag,
          .name = "name",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct file_span, name),
          .max = WIRE_MAX_NAME },
        { .tag = hatchery_v1_File_content_tag,
          .name = "content",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct file_span, content) },
        { .tag = hatchery_v1_File_mode_tag,
          .name = "mode",
          .kind = PBSPAN_UINT32,
          .offset = offsetof(struct file_span, mode) },
};
static const struct pbspan_message file_message = { "File", file_fields, COUNT(file_fields) };

static int add_file(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        struct file_span *file = pbspan_grow((void **)&x->files, x->n_files, sizeof *file);
        if (!file)
                return out_of_memory(e);
        x->n_files++;
        return pbspan_decode(&file_message, content, file, e);
}

static const struct pbspan_field env_fields[] = {
        { .tag = hatchery_v1_Execute_EnvEntry_key_tag,
          .name = "key",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct env_span, name),
          .max = WIRE_MAX_NAME },
        { .tag = hatchery_v1_Execute_EnvEntry_value_tag,
          .name = "value",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct env_span, value),
          .max = WIRE_MAX_STRING },
};
static const struct pbspan_message env_message = { "env", env_fields, COUNT(env_fields) };

static int add_env(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        struct env_span *env = pbspan_grow((void **)&x->env, x->n_env, sizeof *env);
        if (!env)
                return out_of_memory(e);
        x->n_env++;
        int r = pbspan_decode(&env_message, content, env, e);
        if (r < 0)
                return r;
        if (env->name.len == 0)
                return err_say(e, EPROTO, "the name of a variable in env is empty; give it one");
        if (memchr(env->name.data, '=', env->name.len))
                return err_say(e, EPROTO, "the name of a variable in env holds '='; put what follows it in the value");
        return 0;
}

static int add_span(struct span **list, size_t *n, struct span content, struct err *e)
{
        struct span *more = pbspan_grow((void **)list, *n, sizeof *more);
        if (!more)
                return out_of_memory(e);
        (*list)[(*n)++] = content;
        return 0;
}

static int add_arg(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        return add_span(&x->args, &x->n_args, content, e);
}

static int add_compile_flag(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        return add_span(&x->compile_flags, &x->n_compile_flags, content, e);
}

static int add_interpreter_arg(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        return add_span(&x->interpreter_args, &x->n_interpreter_args, content, e);
}

static const struct pbspan_field terminal_fields[] = {
        { .tag = hatchery_v1_Terminal_rows_tag,
          .name = "rows",
          .kind = PBSPAN_UINT32,
          .offset = offsetof(struct submission, terminal.rows) },
        { .tag = hatchery_v1_Terminal_columns_tag,
          .name = "columns",
          .kind = PBSPAN_UINT32,
          .offset = offsetof(struct submission, terminal.columns) },
};
static const struct pbspan_message terminal_message = { "Terminal", terminal_fields, COUNT(terminal_fields) };

static int add_terminal(void *target, struct span content, struct err *e)
{
        return pbspan_decode(&terminal_message, content, target, e);
}

#define LIMIT_FIELD_OF(array, has_array, index, field)                                                                 \
        { .tag = hatchery_v1_Limits_##field##_tag,                                                                     \
          .name = #field,                                                                                              \
          .kind = PBSPAN_INT64,                                                                                        \
          .offset = offsetof(struct submission, array[index]),                                                         \
          .has = offsetof(struct submission, has_array[index]) },
#define LIMIT_FIELD(index, field)         LIMIT_FIELD_OF(limit, has_limit, index, field)
#define COMPILE_LIMIT_FIELD(index, field) LIMIT_FIELD_OF(compile_limit, has_compile_limit, index, field)

static const struct pbspan_field limit_fields[] = { LIMITS(LIMIT_FIELD) };
static const struct pbspan_message limit_message = { "Limits", limit_fields, COUNT(limit_fields) };
_Static_assert(COUNT(limit_fields) == LIMIT_COUNT, "each limit has its field");

static const struct pbspan_field compile_limit_fields[] = { LIMITS(COMPILE_LIMIT_FIELD) };
static const struct pbspan_message compile_limit_message = { "Limits", compile_limit_fields,
                                                             COUNT(compile_limit_fields) };

static int add_limits(void *target, struct span content, struct err *e)
{
        return pbspan_decode(&limit_message, content, target, e);
}

static int add_compile_limits(void *target, struct span content, struct err *e)
{
        return pbspan_decode(&compile_limit_message, content, target, e);
}

static int add_glob(void *target, struct span content, struct err *e)
{
        struct submission *x = target;
        return add_span(&x->globs, &x->n_globs, content, e);
}

static const struct pbspan_field collect_fields[] = {
        { .tag = hatchery_v1_Collect_globs_tag,
          .name = "globs",
          .kind = PBSPAN_TEXT,
          .times = PBSPAN_MANY,
          .max = WIRE_MAX_NAME,
          .max_count = WIRE_MAX_GLOBS,
          .add = add_glob },
        { .tag = hatchery_v1_Collect_max_files_tag,
          .name = "max_files",
          .kind = PBSPAN_UINT32,
          .offset = offsetof(struct submission, collect_max_files) },
        { .tag = hatchery_v1_Collect_max_bytes_tag,
          .name = "max_bytes",
          .kind = PBSPAN_UINT64,
          .offset = offsetof(struct submission, collect_max_bytes) },
        { .tag = hatchery_v1_Collect_changed_only_tag,
          .name = "changed_only",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct submission, collect_changed_only) },
};
static const struct pbspan_message collect_message = { "Collect", collect_fields, COUNT(collect_fields) };

static int add_collect(void *target, struct span content, struct err *e)
{
        return pbspan_decode(&collect_message, content, target, e);
}

/* An Execute while it is decoded: the enum is checked afterwards. */
struct execute_target {
        struct submission x;
        int32_t on_output_limit;
};

static const struct pbspan_field execute_fields[] = {
        { .tag = hatchery_v1_Execute_language_tag,
          .name = "language",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.language),
          .max = WIRE_MAX_LANGUAGE },
        { .tag = hatchery_v1_Execute_code_tag,
          .name = "code",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct execute_target, x.code),
          .has = offsetof(struct execute_target, x.has_code) },
        { .tag = hatchery_v1_Execute_entry_tag,
          .name = "entry",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.entry),
          .max = WIRE_MAX_NAME },
        { .tag = hatchery_v1_Execute_files_tag,
          .name = "files",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = WIRE_MAX_FILES,
          .add = add_file },
        { .tag = hatchery_v1_Execute_args_tag,
          .name = "args",
          .kind = PBSPAN_TEXT,
          .times = PBSPAN_MANY,
          .max = WIRE_MAX_STRING,
          .max_count = WIRE_MAX_ARGS,
          .add = add_arg },
        { .tag = hatchery_v1_Execute_env_tag,
          .name = "env",
          .kind = PBSPAN_MESSAGE,
          .times = PBSPAN_MANY,
          .max_count = WIRE_MAX_ENV,
          .add = add_env },
        { .tag = hatchery_v1_Execute_stdin_tag,
          .name = "stdin",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct execute_target, x.standard_input) },
        { .tag = hatchery_v1_Execute_limits_tag, .name = "limits", .kind = PBSPAN_MESSAGE, .add = add_limits },
        { .tag = hatchery_v1_Execute_merge_stderr_tag,
          .name = "merge_stderr",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct execute_target, x.merge_stderr) },
        { .tag = hatchery_v1_Execute_on_output_limit_tag,
          .name = "on_output_limit",
          .kind = PBSPAN_INT32,
          .offset = offsetof(struct execute_target, on_output_limit) },
        { .tag = hatchery_v1_Execute_collect_tag,
          .name = "collect",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(struct execute_target, x.has_collect),
          .add = add_collect },
        { .tag = hatchery_v1_Execute_deadline_us_tag,
          .name = "deadline_us",
          .kind = PBSPAN_UINT64,
          .offset = offsetof(struct execute_target, x.deadline_us) },
        { .tag = hatchery_v1_Execute_client_tag,
          .name = "client",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.client),
          .max = WIRE_MAX_CLIENT },
        { .tag = hatchery_v1_Execute_priority_tag,
          .name = "priority",
          .kind = PBSPAN_UINT32,
          .offset = offsetof(struct execute_target, x.priority) },
        { .tag = hatchery_v1_Execute_echo_last_expression_tag,
          .name = "echo_last_expression",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct execute_target, x.echo_last_expression) },
        { .tag = hatchery_v1_Execute_compile_limits_tag,
          .name = "compile_limits",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(struct execute_target, x.has_compile_limits),
          .add = add_compile_limits },
        { .tag = hatchery_v1_Execute_unbuffered_tag,
          .name = "unbuffered",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct execute_target, x.unbuffered) },
        { .tag = hatchery_v1_Execute_compile_flags_tag,
          .name = "compile_flags",
          .kind = PBSPAN_TEXT,
          .times = PBSPAN_MANY,
          .max = WIRE_MAX_FLAG,
          .max_count = WIRE_MAX_FLAGS,
          .add = add_compile_flag },
        { .tag = hatchery_v1_Execute_stream_tag,
          .name = "stream",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct execute_target, x.stream) },
        { .tag = hatchery_v1_Execute_live_stdin_tag,
          .name = "live_stdin",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct execute_target, x.live_input) },
        { .tag = hatchery_v1_Execute_terminal_tag,
          .name = "terminal",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(struct execute_target, x.has_terminal),
          .add = add_terminal },
        { .tag = hatchery_v1_Execute_interpreter_args_tag,
          .name = "interpreter_args",
          .kind = PBSPAN_TEXT,
          .times = PBSPAN_MANY,
          .max = WIRE_MAX_STRING,
          .max_count = WIRE_MAX_INTERPRETER_ARGS,
          .add = add_interpreter_arg },
        { .tag = hatchery_v1_Execute_interpreter_tag,
          .name = "interpreter",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.interpreter),
          .max = WIRE_MAX_NAME },
        { .tag = hatchery_v1_Execute_run_id_tag,
          .name = "run_id",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.run_id),
          .max = WIRE_MAX_RUN_ID },
        { .tag = hatchery_v1_Execute_idempotency_key_tag,
          .name = "idempotency_key",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct execute_target, x.idempotency_key),
          .max = WIRE_MAX_IDEMPOTENCY_KEY },
};
static const struct pbspan_message execute_message = { "Execute", execute_fields, COUNT(execute_fields) };
_Static_assert(offsetof(struct execute_target, x) == 0, "a pointer to the target is a pointer to its submission");

static int check_output_limit(struct submission *x, int32_t on_output_limit, struct err *e)
{
        switch (on_output_limit) {
        case hatchery_v1_Execute_OnOutputLimit_KILL:
                return 0;
        case hatchery_v1_Execute_OnOutputLimit_TRUNCATE:
                x->truncate_output = true;
                return 0;
        default:
                return err_say(e, EPROTO, "field on_output_limit of Execute is %d; send KILL (0) or TRUNCATE (1)",
                               on_output_limit);
        }
}

int request_add_execute(void *target, struct span content, struct err *e)
{
        struct request *r = target;
        struct execute_target t = { 0 };

        r->kind = REQUEST_EXECUTE;
        r->execute_bytes = content;
        int rc = pbspan_decode(&execute_message, content, &t, e);
        r->execute = t.x; /* with its arrays: request_fini frees them after a refusal, too */
        if (rc == 0)
                rc = check_output_limit(&r->execute, t.on_output_limit, e);
        if (rc == 0)
                rc = request_check_run_id("Execute", r->execute.run_id, e);
        if (rc == 0)
                rc = request_check_visible("idempotency_key", "Execute", r->execute.idempotency_key, e);
        return rc;
}
