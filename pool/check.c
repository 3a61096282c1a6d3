/* Checking requests: see check.h. */
#include "pool/check.h"

#include "pool/flags.h"
#include "pool/names.h"
#include "pool/queue.h"

#include <errno.h>
#include <inttypes.h>

#define INVALID hatchery_v1_Error_Code_INVALID_ARGUMENT

static const char *unit_name(enum limit_unit unit)
{
        return unit == LIMIT_UNIT_US ? " us" : unit == LIMIT_UNIT_BYTES ? " bytes" : "";
}

/* The limits of one stage. */
struct limits {
        const char *field; /* of Execute */
        const bool *has;   /* LIMIT_COUNT each */
        const int64_t *asked, *standard, *ceiling;
};

static int check_stage(const struct limits *l, int64_t *limit, struct refusal *refusal)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                int64_t v = l->asked[i], ceiling = l->ceiling[i];

                limit[i] = l->has[i] ? v : l->standard[i];
                if (!l->has[i])
                        continue;
                if (v < row->floor)
                        return refuse(refusal, INVALID,
                                      "%s.%s is %" PRId64 "; it is at least %" PRId64 " and at most %" PRId64
                                      "%s, or is left out for the default",
                                      l->field, row->name, v, row->floor, ceiling, unit_name(row->unit));
                if (v > ceiling)
                        return refuse(refusal, INVALID,
                                      "%s.%s is %" PRId64 ", over this server's ceiling of %" PRId64 "%s; ask for less",
                                      l->field, row->name, v, ceiling, unit_name(row->unit));
        }
        return 0;
}

static int check_limits(const struct execute *x, const struct check_rules *rules, struct check_plan *plan,
                        struct refusal *refusal)
{
        const struct limits run = { "limits", x->has_limit, x->limit, rules->standard, rules->ceiling };
        const struct limits compile = { "compile_limits", x->has_compile_limit, x->compile_limit,
                                        rules->compile_standard, rules->compile_ceiling };

        int r = check_stage(&run, plan->limit, refusal);
        if (r != 0)
                return r;
        if ((uint64_t)plan->limit[LIMIT_MEMORY] < rules->held_bytes)
                return refuse(refusal, INVALID,
                              "limits.%s is %" PRId64 ", and a sandbox of %s that waits for a program needs %" PRIu64
                              " already; ask for more",
                              limit_table[LIMIT_MEMORY].name, plan->limit[LIMIT_MEMORY], names_quote(x->language).text,
                              rules->held_bytes);
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

static int check_files(const struct execute *x, struct refusal *refusal)
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
                return refuse(refusal, r == -EINVAL ? INVALID : hatchery_v1_Error_Code_INTERNAL, "%s", e.text);
        return 0;
}

static int check_size(const struct execute *x, const struct check_rules *rules, const struct check_plan *plan,
                      struct refusal *refusal)
{
        uint64_t total = x->has_code ? x->code.len : 0;
        for (size_t i = 0; i < x->n_files; i++)
                total += x->files[i].content.len;

        bool by_run = total > (uint64_t)plan->limit[LIMIT_DISK];
        if (by_run || (rules->compiled && total > (uint64_t)plan->compile_limit[LIMIT_DISK]))
                return refuse(refusal, INVALID,
                              "the files hold %" PRIu64 " bytes, more than %s.%s, which is %" PRId64
                              "; send less or raise the limit",
                              total, by_run ? "limits" : "compile_limits", limit_table[LIMIT_DISK].name,
                              by_run ? plan->limit[LIMIT_DISK] : plan->compile_limit[LIMIT_DISK]);
        return 0;
}

static int entry_of_code(const struct execute *x, struct span main_file, struct check_plan *plan,
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

static int entry_of_files(const struct execute *x, struct span main_file, struct check_plan *plan,
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

static int check_collect(const struct execute *x, const struct check_rules *rules, struct check_plan *plan,
                         struct refusal *refusal)
{
        struct err e = { 0 };

        plan->collect_files = x->collect_max_files ? x->collect_max_files : rules->collect_max_files;
        plan->collect_bytes = x->collect_max_bytes ? x->collect_max_bytes : rules->collect_max_bytes;
        if (plan->collect_files > rules->collect_max_files)
                return refuse(refusal, INVALID,
                              "collect.max_files is %u, over this server's ceiling of %u; ask for less",
                              plan->collect_files, rules->collect_max_files);
        if (plan->collect_bytes > rules->collect_max_bytes)
                return refuse(refusal, INVALID,
                              "collect.max_bytes is %" PRIu64 ", over this server's ceiling of %" PRIu64
                              "; ask for less",
                              plan->collect_bytes, rules->collect_max_bytes);
        for (size_t i = 0; i < x->n_globs; i++)
                if (names_check(x->globs[i], &e) < 0)
                        return refuse(refusal, INVALID, "collect.globs: %s", e.text);
        return 0;
}

int check_execute(const struct execute *x, const struct check_rules *rules, struct check_plan *plan,
                  struct refusal *refusal)
{
        *plan = (struct check_plan){ 0 };
        if (!x->has_code && x->n_files == 0)
                return refuse(refusal, INVALID, "there is nothing to run; send code, or files and entry");

        if (x->priority >= QUEUE_PRIORITIES)
                return refuse(refusal, INVALID, "priority is %u; it is at least 0, the default, and at most %d",
                              x->priority, QUEUE_PRIORITIES - 1);
        if (x->echo_last_expression && !rules->echoes)
                return refuse(refusal, INVALID, "echo_last_expression is set, but %s has no such thing; leave it out",
                              names_quote(x->language).text);
        struct span main_file = span_of_text(rules->main_file);
        int r = check_limits(x, rules, plan, refusal);
        if (r == 0)
                r = flags_check(x, rules->compile_flags, refusal);
        if (r == 0)
                r = check_files(x, refusal);
        if (r == 0)
                r = check_size(x, rules, plan, refusal);
        if (r == 0)
                r = x->has_code ? entry_of_code(x, main_file, plan, refusal)
                                : entry_of_files(x, main_file, plan, refusal);
        if (r == 0)
                r = check_collect(x, rules, plan, refusal);
        return r;
}
