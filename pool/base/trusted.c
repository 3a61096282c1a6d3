/* Trusted listeners: see trusted.h. */
#include "pool/base/trusted.h"

#include <errno.h>
#include <stdio.h>

void trusted_to_arg(const struct trusted_listener *t, char arg[TRUSTED_ARG_SIZE])
{
        snprintf(arg, TRUSTED_ARG_SIZE, "%u:%u", t->listener, t->uid);
}

int trusted_from_arg(struct trusted_listener *t, const char *arg, struct err *e)
{
        int end = 0;

        if (sscanf(arg, "%9u:%10u%n", &t->listener, &t->uid, &end) != 2 || arg[end] != '\0')
                return err_say(e, EINVAL, "a trusted listener is INDEX:UID, not %s", arg);
        return 0;
}

const struct trusted_listener *trusted_find(const struct trusted_listener *list, size_t n, unsigned listener)
{
        for (size_t i = 0; i < n; i++)
                if (list[i].listener == listener)
                        return &list[i];
        return NULL;
}
