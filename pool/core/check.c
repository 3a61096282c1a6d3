/* Checking requests: see check.h. */
#include "pool/core/check.h"

#include "pool/base/names.h"
#include "pool/config/flags.h"
#include "pool/sched/queue.h"

#include <errno.h>
#include <inttypes.h>

#define INVALID REFUSAL_INVALID_ARGUMENT

/* The limits of one stage. */
struct limits {
        const char *field; /* of Execute */
        bool of_compiler;
        const bool *has; /* LIMIT_COUNT each */
        const int64_t *asked, *standard, *ceiling;
};

/* Sentences name the command's option, and show values in people's notation; the field is for programmers. */
static int refuse_limit(const struct limits *l, size_t i, int64_t bound, const char *least_or_most,
                        struct refusal *refusal)
{
        const struct limit_row *row = &limit_table[i];
        char asked[LIMIT_TEXT_SIZE], allowed[LIMIT_TEXT_SIZE];

        return refuse(refusal, INVALID, "%s is %s; it must be at %s %s here (%s.%s)",
                      l->of_compiler ? row->compile_option : row->option, limit_text(asked, row->unit, l->asked[i]),
                      least_or_most, limit_text(allowed, row->unit, bound), l->field, row->name);
}

static int check_stage(const struct limits *l, int64_t *limit, struct refusal *refusal)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];

                limit[i] = l->has[i] ? l->asked[i] : l->standard[i];
                if (!l->has[i])
                        continue;
                if (limit[i] < row->floor)
                        return refuse_limit(l, i, row->floor, "least", refusal);
                if (limit[i] > l->ceiling[i])
                        return refuse_limit(l, i, l->ceiling[i], "most", refusal);
        }
        return 0;
}

static int check_limits(const struct submission *x, const struct check_rules *rules, struct check_plan *plan,
                        struct refusal *refusal)
{
        const struct limits run = { "limits", false, x->has_limit, x->limit, rules->standard, rules->ceiling };
        const struct limits compile = { "compile_limits",        true,
                                        x->has_compile_limit,    x->compile_limit,
                                        rules->compile_standard, rules->compile_ceiling };
        char asked[LIMIT_TEXT_SIZE];

        int r = check_stage(&run, plan->limit, refusal);
        if (r != 0)
                return r;
        if ((uint64_t)plan->limit[LIMIT_MEMORY] < rules->held_bytes)
                return refuse(refusal, INVALID,
                              "memory of %s is too little: a sandbox of %s that waits for a program needs %" PRIu64
                              " MiB already (limits.%s); ask for more",
                              limit_text(asked, LIMIT_UNIT_BYTES, plan->limit[LIMIT_MEMORY]),
                              names_quote(x->language).text, (rules->held_bytes >> 20) + 1,
                              limit_table[LIMIT_MEMORY].name);
        if (x->has_compile_limits && !rules->compiled)
                return refuse(refusal, INVALID, "compile_limits is set, but %s has no compile stage; leave it out",
                              names_quote(x->language).text);
        return rules->compiled ? check_stage(&compile, plan->compile_limit, refusal) : 0;
}

static bool same(struct span a, struct span b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool is_below(struct span name, struct span directory)
{
        return name.len > directory.len && name.data[directory.len] == '/' &&
               memcmp(name.data, directory.data, directory.len) == 0;
}

static int check_files(const struct submission *x, struct refusal *refusal)
{
        struct err e = { 0 };
        for (size_t i = 0; i < x->n_files; i++) {
                const struct file_span *f = &x->files[i];
                if (names_check(f->name, &e) < 0)
                        return refuse(refusal, INVALID, "%s", e.text);
                if (f->mode > 0777)
                        return refuse(refusal, INVALID,
                                      "the mode of %s is 0%o; only the permission bits, 0777, are possible",
                                      names_quote(f->name).text, f->mode);
        }
        int r = names_check_set(x->files, x->n_files, &e);
        if (r < 0)
                return refuse(refusal, r == -EINVAL ? INVALID : REFUSAL_INTERNAL, "%s", e.text);
        return 0;
}

static int check_size(const struct submission *x, const struct check_rules *rules, const struct check_plan *plan,
                      struct refusal *refusal)
{
        uint64_t total = x->has_code ? x->code.len : 0;
        for (size_t i = 0; i < x->n_files; i++)
                total += x->files[i].content.len;

        const struct limit_row *row = &limit_table[LIMIT_DISK];
        char held[LIMIT_TEXT_SIZE], limit[LIMIT_TEXT_SIZE];
        bool by_run = total > (uint64_t)plan->limit[LIMIT_DISK];
        if (!by_run && !(rules->compiled && total > (uint64_t)plan->compile_limit[LIMIT_DISK]))
                return 0;
        return refuse(
                refusal, INVALID, "the files hold %s, and %s is %s (%s.%s); send less or raise the limit",
                limit_text(held, LIMIT_UNIT_BYTES, (int64_t)total), by_run ? row->option : row->compile_option,
                limit_text(limit, LIMIT_UNIT_BYTES, by_run ? plan->limit[LIMIT_DISK] : plan->compile_limit[LIMIT_DISK]),
                by_run ? "limits" : "compile_limits", row->name);
}

static int entry_of_code(const struct submission *x, struct span main_file, struct check_plan *plan,
                         struct refusal *refusal)
{
        if (x->entry.len > 0)
                return refuse(refusal, INVALID,
                              "entry is %s, but there is code, which becomes %s; send one or the other",
                              names_quote(x->entry).text, (const char *)main_file.data);
        for (size_t i = 0; i < x->n_files; i++)
                if (same(x->files[i].name, main_file) || is_below(x->files[i].name, main_file))
                        return refuse(refusal, INVALID,
                                      "the file %s is in the way of code, which becomes %s; rename it",
                                      names_quote(x->files[i].name).text, (const char *)main_file.data);
        plan->entry = main_file;
        return 0;
}

static int refuse_nothing(const struct submission *x, const struct check_rules *rules, struct refusal *refusal)
{
        if (x->has_terminal)
                return refuse(refusal, INVALID,
                              "there is nothing to run, and %s has no prompt of its own; send code, or files and entry",
                              names_quote(x->language).text);
        return refuse(refusal, INVALID, "there is nothing to run; send code, or files and entry%s",
                      rules->prompts ? ", or ask for a terminal with the language's own prompt" : "");
}

/* The interpreter may need no program: its own words name one, or its prompt is wanted. If files come with such words,
 * only the file that entry names is a program. */
static bool needs_program(const struct submission *x, const struct check_rules *rules)
{
        if (x->has_code || x->entry.len > 0)
                return true;
        if (x->n_interpreter_args > 0)
                return false;
        return x->n_files > 0 || !(x->has_terminal && rules->prompts);
}

static int entry_of_files(const struct submission *x, struct span main_file, struct check_plan *plan,
                          struct refusal *refusal)
{
        struct span wanted = x->entry.len > 0 ? x->entry : x->n_files == 1 ? x->files[0].name : main_file;
        for (size_t i = 0; i < x->n_files; i++)
                if (same(x->files[i].name, wanted)) {
                        plan->entry = x->files[i].name;
                        return 0;
                }
        if (x->entry.len > 0)
                return refuse(refusal, INVALID, "entry is %s, which is not among the files",
                              names_quote(x->entry).text);
        return refuse(refusal, INVALID,
                      "there are %zu files, none of them called %s, and no entry; name the file to start in entry",
                      x->n_files, (const char *)main_file.data);
}

static int64_t signed_of(uint64_t n)
{
        return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int check_collect(const struct submission *x, const struct check_rules *rules, struct check_plan *plan,
                         struct refusal *refusal)
{
        struct err e = { 0 };
        char asked[LIMIT_TEXT_SIZE], allowed[LIMIT_TEXT_SIZE];

        plan->collect_files = x->collect_max_files ? x->collect_max_files : rules->collect_max_files;
        plan->collect_bytes = x->collect_max_bytes ? x->collect_max_bytes : rules->collect_max_bytes;
        if (plan->collect_files > rules->collect_max_files)
                return refuse(refusal, INVALID, "%u files back are too many: %u at most here (collect.max_files)",
                              plan->collect_files, rules->collect_max_files);
        if (plan->collect_bytes > rules->collect_max_bytes)
                return refuse(refusal, INVALID, "files back of %s are too large: %s at most here (collect.max_bytes)",
                              limit_text(asked, LIMIT_UNIT_BYTES, signed_of(plan->collect_bytes)),
                              limit_text(allowed, LIMIT_UNIT_BYTES, signed_of(rules->collect_max_bytes)));
        for (size_t i = 0; i < x->n_globs; i++)
                if (names_check(x->globs[i], &e) < 0)
                        return refuse(refusal, INVALID, "collect.globs: %s", e.text);
        return 0;
}

static int check_program(const struct submission *x, const struct check_rules *rules, struct check_plan *plan,
                         struct refusal *refusal)
{
        struct span main_file = span_of_text(rules->main_file);

        if (!needs_program(x, rules))
                return 0;
        return x->has_code ? entry_of_code(x, main_file, plan, refusal) : entry_of_files(x, main_file, plan, refusal);
}

static int check_size_of_terminal(const char *field, uint32_t n, struct refusal *refusal)
{
        if (n >= 1 && n <= TERMINAL_MAX)
                return 0;
        return refuse(refusal, INVALID, "terminal.%s is %u; it is at least 1 and at most %d", field, n, TERMINAL_MAX);
}

static int check_terminal(const struct submission *x, struct refusal *refusal)
{
        if (!x->has_terminal)
                return 0;
        if (!x->stream || !x->live_input)
                return refuse(refusal, INVALID,
                              "terminal is set without %s; a terminal is read and written while the program runs, so "
                              "set stream and live_stdin, too",
                              x->stream       ? "live_stdin"
                              : x->live_input ? "stream"
                                              : "stream and live_stdin");
        int r = check_size_of_terminal("rows", x->terminal.rows, refusal);
        return r != 0 ? r : check_size_of_terminal("columns", x->terminal.columns, refusal);
}

/* Checks the fields for an interpreter that is started for this run. */
static int check_interpreter(const struct submission *x, const struct check_rules *rules, struct refusal *refusal)
{
        const char *field = x->n_interpreter_args > 0 ? "interpreter_args" : "interpreter";

        if (x->echo_last_expression && submission_is_fresh(x))
                return refuse(refusal, INVALID,
                              "echo_last_expression is set together with %s, whose interpreter is started anew and has "
                              "no such thing; leave one of them out",
                              x->has_terminal ? "terminal" : field);
        if (x->n_interpreter_args == 0 && x->interpreter.len == 0)
                return 0;
        if (rules->compiled)
                return refuse(refusal, INVALID,
                              "%s is set, but %s is compiled, and its programs have no interpreter; leave it out",
                              field, names_quote(x->language).text);
        if (!rules->starts_fresh)
                return refuse(refusal, INVALID,
                              "%s is set, but %s has no interpreter that could be started with it; leave it out", field,
                              names_quote(x->language).text);
        return 0;
}

int check_execute(const struct submission *x, const struct check_rules *rules, struct check_plan *plan,
                  struct refusal *refusal)
{
        *plan = (struct check_plan){ 0 };
        if (!x->has_code && x->n_files == 0 && x->entry.len == 0 && needs_program(x, rules))
                return refuse_nothing(x, rules, refusal);
        if (x->priority >= QUEUE_PRIORITIES)
                return refuse(refusal, INVALID, "priority is %u; it is at least 0, the default, and at most %d",
                              x->priority, QUEUE_PRIORITIES - 1);
        if (x->echo_last_expression && !rules->echoes)
                return refuse(refusal, INVALID, "echo_last_expression is set, but %s has no such thing; leave it out",
                              names_quote(x->language).text);
        int r = check_terminal(x, refusal);
        if (r == 0)
                r = check_interpreter(x, rules, refusal);
        if (r == 0)
                r = check_limits(x, rules, plan, refusal);
        if (r == 0)
                r = flags_check(x, rules->compile_flags, refusal);
        if (r == 0)
                r = check_files(x, refusal);
        if (r == 0)
                r = check_size(x, rules, plan, refusal);
        if (r == 0)
                r = check_program(x, rules, plan, refusal);
        if (r == 0)
                r = check_collect(x, rules, plan, refusal);
        return r;
}
