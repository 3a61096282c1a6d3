/* Ceilings: see ceilings.h. */
#include "zygote/base/ceilings.h"

#include "proto/base/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void ceilings_to_arg(const struct ceilings *c, char arg[CEILINGS_ARG_SIZE])
{
        snprintf(arg, CEILINGS_ARG_SIZE, "%" PRId64 ":%" PRId64 ":%" PRId64, c->memory_bytes, c->disk_bytes, c->pids);
}

int ceilings_from_arg(struct ceilings *c, const char *arg, struct err *e)
{
        int64_t *const into[] = { &c->memory_bytes, &c->disk_bytes, &c->pids };
        enum { N = sizeof into / sizeof into[0] };
        const char *at = arg;

        for (size_t i = 0; i < N; i++) {
                char number[24];
                size_t len = strcspn(at, ":");
                if (len < sizeof number) {
                        memcpy(number, at, len);
                        number[len] = '\0';
                }
                bool last = i == N - 1;
                if (len >= sizeof number || limit_parse(LIMIT_UNIT_COUNT, number, into[i]) < 0 || *into[i] < 1 ||
                    at[len] != (last ? '\0' : ':'))
                        return err_say(e, EINVAL, "\"%s\" is not three numbers of 1 or more, separated by colons", arg);
                at += len + 1;
        }
        return 0;
}

int ceilings_check(const struct ceilings *c, const struct order *o, struct err *e)
{
        const struct {
                const char *name;
                int64_t asked, ceiling;
        } rows[] = {
                { "memory", o->memory_bytes, c->memory_bytes },
                { "disk", o->disk_bytes, c->disk_bytes },
                { "pids", o->pids, c->pids },
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (rows[i].asked < 1 || rows[i].asked > rows[i].ceiling)
                        return err_say(e, EPROTO, "the pool ordered a %s limit of %" PRId64 "; it is 1 to %" PRId64,
                                       rows[i].name, rows[i].asked, rows[i].ceiling);
        return 0;
}
