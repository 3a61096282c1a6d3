/* Reading filters: see filter.h. */
#include "filter.h"

#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the kernel's part */

/* Interprets the classic BPF of our filters: loads of words of the data, constants, AND, jumps, and the return. */
uint32_t filter_interpret(const struct seccomp_program *p, const struct seccomp_data *data)
{
        uint32_t a = 0;
        for (unsigned pc = 0; pc < p->length; pc++) {
                const struct sock_filter *f = &p->code[pc];
                bool is_true;
                switch (f->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        assert_true(f->k % 4 == 0 && f->k < sizeof *data);
                        memcpy(&a, (const char *)data + f->k, sizeof a);
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= f->k;
                        continue;
                case BPF_RET | BPF_K:
                        return f->k;
                case BPF_JMP | BPF_JA:
                        pc += f->k;
                        continue;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        is_true = a == f->k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        is_true = a >= f->k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        is_true = a > f->k;
                        break;
                default:
                        fail_msg("instruction %u has the code 0x%x", pc, f->code);
                        return 0;
                }
                pc += is_true ? f->jt : f->jf;
        }
        fail_msg("the filter ends without a return");
        return 0;
}

/* ---------------------------------------------------------------- what the table says */

static void read_line(struct filter_line *l, const char *text)
{
        char rest[160] = "";
        int error = 0;
        *l = (struct filter_line){ .answer = SECCOMP_RET_ALLOW };
        if (sscanf(text, "errno %d %159[^\n]", &error, rest) == 2)
                l->answer = SECCOMP_RET_ERRNO | (uint32_t)error;
        else if (sscanf(text, "nothing %159[^\n]", rest) == 1)
                l->answer = SECCOMP_RET_ERRNO;
        else
                assert_int_equal(sscanf(text, "allow %159[^\n]", rest), 1);
        unsigned long long value = 0, masked = 0;
        if (sscanf(rest, "%39s if argument %u & %llx == %llx", l->name, &l->argument, &value, &masked) == 4)
                strcpy(l->compare, "&");
        else
                assert_true(sscanf(rest, "%39s if argument %u %7s %llx", l->name, &l->argument, l->compare, &value) !=
                            2);
        l->has_condition = l->compare[0] != '\0';
        l->value = value;
        l->masked = masked;
}

void filter_table_read(struct filter_table *t)
{
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        assert_non_null(to);
        seccomp_print(to);
        fclose(to);
        t->n = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                assert_true(t->n < FILTER_MAX_LINES);
                if (!strstr(line, "everything else"))
                        read_line(&t->at[t->n++], line);
        }
        assert_true(t->n > 200);
        free(text);
}

static bool holds(const struct filter_line *l, uint64_t argument)
{
        if (!l->has_condition)
                return true;
        if (strcmp(l->compare, "&") == 0)
                return (argument & l->value) == l->masked;
        if (strcmp(l->compare, "==") == 0)
                return argument == l->value;
        if (strcmp(l->compare, "!=") == 0)
                return argument != l->value;
        if (strcmp(l->compare, "<=") == 0)
                return argument <= l->value;
        assert_string_equal(l->compare, "<");
        return argument < l->value;
}

uint32_t filter_expected(const struct filter_table *t, const char *name, const struct seccomp_data *data)
{
        for (size_t i = 0; name && i < t->n; i++)
                if (strcmp(t->at[i].name, name) == 0 && holds(&t->at[i], data->args[t->at[i].argument]))
                        return t->at[i].answer;
        return SECCOMP_RET_ERRNO | ENOSYS;
}
