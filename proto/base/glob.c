/* Patterns: see glob.h. The pattern is an automaton over the path, run for all states at once: reach[i] says whether
 * the part of the pattern read so far can match the first i bytes of the path. */
#include "proto/base/glob.h"

#include <stddef.h>
#include <string.h>

static void match_byte(bool *reach, const char *path, size_t len, char c)
{
        for (size_t i = len; i > 0; i--) {
                char p = path[i - 1];
                reach[i] = reach[i - 1] && (c == '?' ? p != '/' : p == c);
        }
        reach[0] = false;
}

static void match_star(bool *reach, const char *path, size_t len)
{
        for (size_t i = 1; i <= len; i++)
                reach[i] = reach[i] || (reach[i - 1] && path[i - 1] != '/');
}

static void match_all(bool *reach, size_t len)
{
        for (size_t i = 1; i <= len; i++)
                reach[i] = reach[i] || reach[i - 1];
}

/* Two stars and a slash match nothing, or any bytes that end with a slash. */
static void match_directories(bool *reach, const char *path, size_t len)
{
        bool before = reach[0];
        for (size_t i = 1; i <= len; i++) {
                bool here = reach[i];
                reach[i] = here || (before && path[i - 1] == '/');
                before = before || here;
        }
}

bool glob_match(const char *pattern, const char *path)
{
        bool reach[GLOB_PATH_MAX];
        size_t len = strlen(path);
        if (len >= GLOB_PATH_MAX)
                return false;

        memset(reach, 0, sizeof reach);
        reach[0] = true;
        for (const char *p = pattern; *p;) {
                if (strncmp(p, "**/", 3) == 0) {
                        match_directories(reach, path, len);
                        p += 3;
                } else if (strncmp(p, "**", 2) == 0) {
                        match_all(reach, len);
                        p += 2;
                } else if (*p == '*') {
                        match_star(reach, path, len);
                        p++;
                } else {
                        match_byte(reach, path, len, *p++);
                }
        }
        return reach[len];
}
