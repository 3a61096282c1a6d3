/* Filters from the table: see seccomp.h. */
#include "zygote/sandbox/seccomp.h"

#include "proto/base/own.h"
#include "zygote/sandbox/seccomp_table.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Loading a filter of this size takes 100 us: conversion, compilation, and a dry run for every system call. So it comes
 * in two parts. The outer part is the allowlist, with the calls that making a sandbox takes. It is loaded once, in the
 * zygote, which it confines too. Forks inherit it at no cost. Each sandbox loads the inner part, which only forbids the
 * calls that making a sandbox takes. The kernel asks both parts and obeys the stricter answer. */

static int add(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *compare)
{
        int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR)
                return 0; /* newer than this libseccomp: stays at ENOSYS */
        return seccomp_rule_add_array(filter, action, number, compare ? 1 : 0, compare);
}

static int add_list(scmp_filter_ctx filter, uint32_t action, const struct seccomp_list *list, const char **name)
{
        int r = 0;
        for (size_t i = 0; i < list->n && r == 0; i++)
                r = add(filter, action, *name = list->at[i], NULL);
        return r;
}

static int add_answers(scmp_filter_ctx filter, const struct seccomp_answers *list, const char **name)
{
        int r = 0;
        for (size_t i = 0; i < list->n && r == 0; i++)
                r = add(filter, SCMP_ACT_ERRNO((uint32_t)list->at[i].error), *name = list->at[i].name, NULL);
        return r;
}

static int add_rule(scmp_filter_ctx filter, const struct seccomp_rule *rule, uint32_t action)
{
        struct scmp_arg_cmp compare = {
                .arg = rule->argument,
                .op = rule->compare,
                .datum_a = rule->value,
                .datum_b = rule->masked,
        };
        return add(filter, action, rule->name, &compare);
}

static int add_rules(scmp_filter_ctx filter, const char **name)
{
        int r = 0;
        for (size_t i = 0; i < seccomp_rules.n && r == 0; i++) {
                const struct seccomp_rule *rule = &seccomp_rules.at[i];
                bool allowed = rule->error == 0 || rule->making;
                *name = rule->name;
                r = add_rule(filter, rule, allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)rule->error));
        }
        return r;
}

static int take_making_away(scmp_filter_ctx filter, const char **name)
{
        int r = add_answers(filter, &seccomp_making, name);
        for (size_t i = 0; i < seccomp_rules.n && r == 0; i++) {
                const struct seccomp_rule *rule = &seccomp_rules.at[i];
                *name = rule->name;
                if (rule->making)
                        r = add_rule(filter, rule, SCMP_ACT_ERRNO((uint32_t)rule->error));
        }
        return r;
}

/* Finds the lowest value from `from` on that a rule of the call covers; *last becomes the end of that rule's values.
 * False if there is none. */
static bool next_ruled(const char *name, uint64_t from, unsigned *argument, uint64_t *first, uint64_t *last)
{
        bool found = false;
        for (size_t i = 0; i < seccomp_rules.n; i++) {
                const struct seccomp_rule *r = &seccomp_rules.at[i];
                if (strcmp(r->name, name) != 0)
                        continue;
                *argument = r->argument;
                uint64_t low = r->compare == SCMP_CMP_EQ ? r->value : 0;
                uint64_t high = r->compare == SCMP_CMP_LT ? r->value - 1 : r->value;
                low = low < from ? from : low;
                if (low > high || (found && low >= *first))
                        continue;
                *first = low;
                *last = high;
                found = true;
        }
        return found;
}

/* Adds rules for all values from first to last, in blocks that a mask can match. Such rules exclude each other, so
 * their order does not matter. The order would matter if one rule covered all other values. */
static int add_range(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned argument, uint64_t first,
                     uint64_t last)
{
        int r = 0;
        while (first <= last && r == 0) {
                uint64_t size = 1;
                while ((first & (2 * size - 1)) == 0 && first + 2 * size - 1 <= last)
                        size *= 2;
                struct scmp_arg_cmp block = {
                        .arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = ~(size - 1), .datum_b = first
                };
                r = add(filter, action, name, &block);
                first += size;
        }
        return r;
}

/* Answers for the values between those that the rules of a call name. */
static int add_otherwise(scmp_filter_ctx filter, const char **name)
{
        int r = 0;
        for (size_t i = 0; i < seccomp_otherwise.n && r == 0; i++) {
                const struct seccomp_answer *a = &seccomp_otherwise.at[i];
                uint32_t action = SCMP_ACT_ERRNO((uint32_t)a->error);
                unsigned argument = 0;
                uint64_t from = 0, first, last;
                *name = a->name;
                while (r == 0 && from <= UINT32_MAX) {
                        if (!next_ruled(a->name, from, &argument, &first, &last))
                                first = last = (uint64_t)UINT32_MAX + 1;
                        if (first > from)
                                r = add_range(filter, action, a->name, argument, from, first - 1);
                        from = last + 1;
                }
        }
        return r;
}

static bool in_list(const struct seccomp_list *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->at[i], name) == 0)
                        return true;
        return false;
}

static bool in_answers(const struct seccomp_answers *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->at[i].name, name) == 0)
                        return true;
        return false;
}

static bool in_rules(const char *name)
{
        for (size_t i = 0; i < seccomp_rules.n; i++)
                if (strcmp(seccomp_rules.at[i].name, name) == 0)
                        return true;
        return false;
}

/* Adds the calls that a language asks for beyond the table. The table itself stays the same for all languages, so a
 * call that is forbidden for good stays so. */
static int add_extra(scmp_filter_ctx filter, const char *const *calls, struct err *e)
{
        for (; calls && *calls; calls++) {
                const char *name = *calls;
                if (in_list(&seccomp_allowed, name))
                        continue;
                if (in_answers(&seccomp_refused, name) || in_answers(&seccomp_making, name) ||
                    in_list(&seccomp_pretended, name) || in_list(&seccomp_never_extra, name))
                        return err_say(e, EPERM, "the language asks for %s, which no sandbox may call", name);
                if (in_rules(name))
                        return err_say(e, EPERM,
                                       "the language asks for %s, which sandboxes may call only under conditions",
                                       name);
                if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
                        return err_say(e, EINVAL, "the language asks for %s, which is no known system call", name);
                int r = add(filter, SCMP_ACT_ALLOW, name, NULL);
                if (r < 0 && r != -EEXIST)
                        return err_set(e, -r, "the seccomp rule for %s", name);
        }
        return 0;
}

static int add_outer(scmp_filter_ctx filter, const char *const *extra_calls, struct err *e)
{
        const char *name = "";
        int r = add_list(filter, SCMP_ACT_ALLOW, &seccomp_allowed, &name);
        for (size_t i = 0; i < seccomp_making.n && r == 0; i++)
                r = add(filter, SCMP_ACT_ALLOW, name = seccomp_making.at[i].name, NULL);
        if (r == 0)
                r = add_answers(filter, &seccomp_refused, &name);
        if (r == 0)
                r = add_list(filter, SCMP_ACT_ERRNO(0), &seccomp_pretended, &name);
        if (r == 0)
                r = add_rules(filter, &name);
        if (r == 0)
                r = add_otherwise(filter, &name);
        return r < 0 ? err_set(e, -r, "the seccomp rule for %s", name) : add_extra(filter, extra_calls, e);
}

/* The limit of core dumps may be read. A call that sets it answers 0 and does nothing. At a limit of 0 a crash
 * would start the host's handler of core dumps (zygote/sandbox/limits.c), and the hard limit can't prevent a limit of
 * 0. The kernel looks at the low 32 bits of the resource, and so do these rules. */
static int add_core_limit(scmp_filter_ctx filter)
{
        struct scmp_arg_cmp old = SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, RLIMIT_CORE);
        struct scmp_arg_cmp now[] = { SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, RLIMIT_CORE),
                                      SCMP_A2_64(SCMP_CMP_NE, 0, 0) };
        int r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setrlimit), 1, &old);
        return r < 0 ? r : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), 2, now);
}

static int add_inner(scmp_filter_ctx filter, struct err *e)
{
        const char *name = "";
        int r = take_making_away(filter, &name);
        if (r < 0)
                return err_set(e, -r, "the seccomp rule for %s", name);
        r = add_core_limit(filter);
        return r < 0 ? err_set(e, -r, "the seccomp rules for the limit of core dumps") : 0;
}

/* The finished filter as BPF. It goes through a file in memory, since libseccomp writes only to descriptors. */
static int export_bpf(scmp_filter_ctx filter, struct seccomp_program *p, struct err *e)
{
        OWN_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
        int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
        if (r < 0)
                return err_set(e, -r, "exporting the seccomp filter");
        off_t size = lseek(fd, 0, SEEK_END);
        if (size <= 0 || (size_t)size / sizeof *p->code > 0xffff)
                return err_say(e, EINVAL, "a seccomp filter of %ld bytes", (long)size);
        OWN_MEM struct sock_filter *code = malloc((size_t)size);
        if (!code)
                return err_set(e, ENOMEM, "the seccomp filter");
        if (pread(fd, code, (size_t)size, 0) != size)
                return err_set(e, EIO, "reading the seccomp filter");
        p->length = (unsigned short)((size_t)size / sizeof *code);
        p->code = own_steal_ptr(&code);
        return 0;
}

int seccomp_program_build(struct seccomp_program *p, enum seccomp_part part, const char *const *extra_calls,
                          struct err *e)
{
        bool outer = part == SECCOMP_OUTER;
        scmp_filter_ctx filter = seccomp_init(outer ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
        if (!filter)
                return err_set(e, ENOMEM, "a seccomp filter");
        /* A binary tree over the numbers instead of a chain: a call passes some 8 comparisons, not 200. */
        int r = outer ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : 0;
        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (r < 0)
                err_set(e, -r, "seccomp attributes");
        else
                r = outer ? add_outer(filter, extra_calls, e) : add_inner(filter, e);
        if (r == 0)
                r = export_bpf(filter, p, e);
        seccomp_release(filter);
        return r;
}

void seccomp_program_fini(struct seccomp_program *p)
{
        free(p->code);
        p->code = NULL;
}

int seccomp_program_load(const struct seccomp_program *p)
{
        struct sock_fprog program = { .len = p->length, .filter = p->code };
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

static void print_rule(FILE *to, const struct seccomp_rule *r)
{
        char answer[32] = "allow";
        if (r->error)
                snprintf(answer, sizeof answer, "errno %d", r->error);
        unsigned long long value = r->value, masked = r->masked;
        if (r->compare == SCMP_CMP_MASKED_EQ)
                fprintf(to, "%s %s if argument %u & 0x%llx == 0x%llx\n", answer, r->name, r->argument, value, masked);
        else
                fprintf(to, "%s %s if argument %u %s 0x%llx\n", answer, r->name, r->argument,
                        r->compare == SCMP_CMP_EQ   ? "=="
                        : r->compare == SCMP_CMP_NE ? "!="
                        : r->compare == SCMP_CMP_LE ? "<="
                                                    : "<",
                        value);
}

void seccomp_print(FILE *to)
{
        for (size_t i = 0; i < seccomp_allowed.n; i++)
                fprintf(to, "allow %s\n", seccomp_allowed.at[i]);
        for (size_t i = 0; i < seccomp_rules.n; i++)
                print_rule(to, &seccomp_rules.at[i]);
        for (size_t i = 0; i < seccomp_otherwise.n; i++) {
                unsigned argument = 0;
                uint64_t first, last;
                next_ruled(seccomp_otherwise.at[i].name, 0, &argument, &first, &last);
                fprintf(to, "errno %d %s if argument %u <= 0xffffffff\n", seccomp_otherwise.at[i].error,
                        seccomp_otherwise.at[i].name, argument);
        }
        for (size_t i = 0; i < seccomp_pretended.n; i++)
                fprintf(to, "nothing %s\n", seccomp_pretended.at[i]);
        fprintf(to, "nothing setrlimit if the resource is RLIMIT_CORE\n");
        fprintf(to, "nothing prlimit64 if the resource is RLIMIT_CORE and argument 2 != 0x0\n");
        for (size_t i = 0; i < seccomp_refused.n; i++)
                fprintf(to, "errno %d %s\n", seccomp_refused.at[i].error, seccomp_refused.at[i].name);
        for (size_t i = 0; i < seccomp_making.n; i++)
                fprintf(to, "errno %d %s\n", seccomp_making.at[i].error, seccomp_making.at[i].name);
        fprintf(to, "errno %d everything else\n", ENOSYS);
}

void seccomp_print_extra(FILE *to, const char *language, const char *const *extra_calls)
{
        for (; extra_calls && *extra_calls; extra_calls++)
                fprintf(to, "allow %s for %s\n", *extra_calls, language);
}
