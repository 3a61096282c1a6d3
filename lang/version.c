/* Asking for a version: see version.h. */
#include "lang/version.h"

#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The time limit is long, because a language's virtual machine starts slowly on a loaded host, and a slow program must
 * not count as absent. */
enum { PATIENCE_MS = 60000, OUTPUT_SIZE = 4096 };

static bool is_digit(char c)
{
        return isdigit((unsigned char)c) != 0;
}

/* The length of the version that begins here: digits, and after each dot digits or lower-case letters. */
static size_t dotted_length(const char *text, bool *dotted)
{
        size_t n = 0;
        *dotted = false;
        while (is_digit(text[n]))
                n++;
        while (text[n] == '.' && is_digit(text[n + 1])) {
                *dotted = true;
                n++;
                while (is_digit(text[n]) || islower((unsigned char)text[n]))
                        n++;
        }
        return n;
}

void version_find(const char *text, char *out, size_t size)
{
        const char *number = NULL;
        size_t number_len = 0;
        bool dotted;

        for (const char *at = text; *at; at++) {
                if (!is_digit(*at) || (at > text && (is_digit(at[-1]) || at[-1] == '.')))
                        continue;
                size_t len = dotted_length(at, &dotted);
                if (dotted) {
                        number = at;
                        number_len = len;
                        break;
                }
                if (!number) {
                        number = at;
                        number_len = len;
                }
        }
        if (number)
                snprintf(out, size, "%.*s", (int)number_len, number);
        else
                snprintf(out, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

int version_ask(char *const *command, char *out, size_t size, struct err *e)
{
        char text[OUTPUT_SIZE];
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        OWN_FD int from = ends[0];
        OWN_FD int to = ends[1];
        OWN_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pid_t pid;
        const struct spawn how = { .group = SPAWN_APART, .argv = command, .fd = { null, to, to, -1 } };
        int r = spawn_program(&pid, &how);
        if (r < 0)
                return err_set(e, -r, "starting %s", command[0]);
        own_close(&to);
        to = -1;

        r = spawn_read(from, text, sizeof text, PATIENCE_MS);
        spawn_end(pid);
        if (r == -ETIMEDOUT)
                return err_say(e, ETIMEDOUT, "%s does not print its version within %d s", command[0],
                               PATIENCE_MS / 1000);
        version_find(text, out, size);
        return *out ? 0 : err_say(e, EPROTO, "%s prints no version", command[0]);
}
