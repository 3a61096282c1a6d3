/* The files of a body of POST /eval: where they go, what they hold, and whether they can all be there. See
 * snekbox_parts.h. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- paths */

/* Paths are resolved below this directory. So a path that leaves the directory and comes back is accepted, as in
 * snekbox. */
#define ROOT "/home"

enum { ROOT_LEN = sizeof ROOT - 1, MAX_PART = 255 };

int snekbox_path(struct span path, char **name)
{
        OWN_MEM char *resolved = malloc(ROOT_LEN + path.len + 2);
        size_t len = ROOT_LEN;
        if (!resolved)
                return -ENOMEM;
        if (path.len > 0 && memchr(path.data, '\0', path.len))
                return -EPERM;
        memcpy(resolved, ROOT, ROOT_LEN);

        const uint8_t *at = path.data, *end = path.data + path.len;
        while (at < end) {
                const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
                size_t part = (size_t)((slash ? slash : end) - at);
                if (part == 2 && memcmp(at, "..", 2) == 0) {
                        while (len > 0 && resolved[--len] != '/')
                                ;
                } else if (part > 0 && !(part == 1 && *at == '.')) {
                        resolved[len++] = '/';
                        memcpy(resolved + len, at, part);
                        len += part;
                }
                at += part + (slash ? 1 : 0);
        }
        resolved[len] = '\0';
        if (len < ROOT_LEN || memcmp(resolved, ROOT, ROOT_LEN) != 0 || (len > ROOT_LEN && resolved[ROOT_LEN] != '/'))
                return -EPERM;
        *name = strdup(len > ROOT_LEN ? resolved + ROOT_LEN + 1 : "");
        return *name ? 0 : -ENOMEM;
}

/* ---------------------------------------------------------------- contents */

static bool is_of_alphabet(uint8_t c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Leaves out what base64_decode would refuse and Python skips: line ends, and everything behind the padding. Returns
 * the new length, a multiple of 4; if Python refuses the text, too, returns 0 and sets *is_valid to false. */
static size_t tidy(struct span text, char *out, bool *is_valid)
{
        size_t n = 0, pads = 0;

        *is_valid = true;
        for (size_t i = 0; i < text.len; i++)
                *is_valid = *is_valid && text.data[i] < 0x80;
        for (size_t i = 0; i < text.len; i++) {
                uint8_t c = text.data[i];
                if (c == '=' && n % 4 >= 2 && n % 4 + ++pads >= 4)
                        break;
                if (is_of_alphabet(c)) {
                        out[n++] = (char)c;
                        pads = 0;
                }
        }
        bool is_padded = n % 4 == 0 || (n % 4 >= 2 && n % 4 + pads >= 4);
        *is_valid = *is_valid && is_padded;
        while (*is_valid && n % 4 != 0)
                out[n++] = '=';
        return *is_valid ? n : 0;
}

int snekbox_base64(struct span text, uint8_t **out, size_t *len)
{
        int r = base64_decode(text, out, len);
        if (r != -EINVAL)
                return r;
        OWN_MEM char *plain = malloc(text.len + 4);
        bool is_valid;
        if (!plain)
                return -ENOMEM;
        size_t n = tidy(text, plain, &is_valid);
        return is_valid ? base64_decode((struct span){ (const uint8_t *)plain, n }, out, len) : -EINVAL;
}

/* ---------------------------------------------------------------- all together */

/* A slash sorts before every other byte, so that the files below a directory follow its name. Files of one name keep
 * the order of the request. */
static int compare(const void *left, const void *right)
{
        const struct snekbox_file *a = left, *b = right;
        const char *x = a->name, *y = b->name;

        while (*x && *x == *y)
                x++, y++;
        if (*x == *y)
                return a->index < b->index ? -1 : 1;
        int c = *x == '/' ? 1 : *x ? 2 + (unsigned char)*x : 0, d = *y == '/' ? 1 : *y ? 2 + (unsigned char)*y : 0;
        return c < d ? -1 : 1;
}

/* Is the first name a directory on the way to the second? */
static bool is_above(const char *directory, const char *name)
{
        size_t len = strlen(directory);
        return strncmp(directory, name, len) == 0 && name[len] == '/';
}

static bool fits(const char *name)
{
        if (strlen(name) > WIRE_MAX_NAME)
                return false;
        for (const char *part = name; *part; part += strcspn(part, "/"), part += *part == '/')
                if (strcspn(part, "/") > MAX_PART)
                        return false;
        return true;
}

/* The file at `at` has the name of a directory that the files behind it need. Returns the file that snekbox would fail
 * to make, which depends on their order in the request, and sets the name of the exception. */
static const struct snekbox_file *find_clash(const struct snekbox_file *files, size_t n, size_t at,
                                             const char **exception)
{
        const struct snekbox_file *first = &files[at + 1];
        for (size_t i = at + 1; i < n && is_above(files[at].name, files[i].name); i++)
                if (files[i].index < first->index)
                        first = &files[i];
        if (first->index < files[at].index) {
                *exception = "IsADirectoryError";
                return &files[at];
        }
        bool is_direct = !strchr(first->name + strlen(files[at].name) + 1, '/');
        *exception = is_direct ? "FileExistsError" : "NotADirectoryError";
        return first;
}

const struct snekbox_file *snekbox_files_settle(struct snekbox_file *files, size_t *n, uint64_t bytes,
                                                const char **exception)
{
        uint64_t total = 0;
        size_t kept = 0;

        for (size_t i = 0; i < *n; i++) {
                total += files[i].len;
                *exception = files[i].name[0] == '\0' ? "IsADirectoryError" : "OSError";
                if (files[i].name[0] == '\0' || !fits(files[i].name) || total > bytes)
                        return &files[i];
        }
        if (*n > 1)
                qsort(files, *n, sizeof *files, compare);
        for (size_t i = 0; i + 1 < *n; i++)
                if (is_above(files[i].name, files[i + 1].name))
                        return find_clash(files, *n, i, exception);
        for (size_t i = 0; i < *n; i++) {
                if (i + 1 < *n && strcmp(files[i].name, files[i + 1].name) == 0) {
                        free(files[i].name);
                        free(files[i].content);
                } else {
                        files[kept++] = files[i];
                }
        }
        *n = kept;
        return NULL;
}
