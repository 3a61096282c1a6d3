/* Names of files: see names.h. */
#include "pool/base/names.h"

#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>

enum { MAX_PART = 255 };

struct names_quoted names_quote(struct span name)
{
        struct names_quoted q;
        size_t n = 0, max = sizeof q.text - sizeof "\"...\"";

        q.text[n++] = '"';
        for (size_t i = 0; i < name.len && n < max; i++)
                q.text[n++] = name.data[i] < ' ' || name.data[i] == 0x7f ? '?' : (char)name.data[i];
        snprintf(q.text + n, sizeof q.text - n, "%s\"", name.len >= max ? "..." : "");
        return q;
}

static int check_part(const uint8_t *part, size_t len, struct span name, struct err *e)
{
        if (len == 0)
                return err_say(e, EINVAL, "the file name %s has an empty part; use single slashes, between names only",
                               names_quote(name).text);
        if ((len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
                return err_say(e, EINVAL, "the file name %s has a part \".\" or \"..\"; name the file plainly",
                               names_quote(name).text);
        if (len > MAX_PART)
                return err_say(e, EINVAL, "the file name %s has a part of %zu bytes; %d are possible",
                               names_quote(name).text, len, MAX_PART);
        return 0;
}

int names_check(struct span name, struct err *e)
{
        if (name.len == 0)
                return err_say(e, EINVAL, "a file name is empty; every file needs one");
        if (name.len > WIRE_MAX_NAME)
                return err_say(e, EINVAL, "the file name %s has %zu bytes; %d are possible", names_quote(name).text,
                               name.len, WIRE_MAX_NAME);
        if (memchr(name.data, '\0', name.len))
                return err_say(e, EINVAL, "the file name %s holds a NUL byte", names_quote(name).text);
        if (name.data[0] == '/')
                return err_say(e, EINVAL, "the file name %s is absolute; names are relative to the work directory",
                               names_quote(name).text);

        const uint8_t *part = name.data, *end = name.data + name.len;
        for (;;) {
                const uint8_t *slash = memchr(part, '/', (size_t)(end - part));
                int r = check_part(part, (size_t)((slash ? slash : end) - part), name, e);
                if (r < 0 || !slash)
                        return r;
                part = slash + 1;
        }
}

/* Compares names in the order of a directory walk: a slash sorts before every other byte, so that names below a
 * directory follow the directory. */
static int compare(const void *left, const void *right)
{
        const struct span *a = left, *b = right;
        size_t n = a->len < b->len ? a->len : b->len;

        for (size_t i = 0; i < n; i++) {
                if (a->data[i] == b->data[i])
                        continue;
                int x = a->data[i] == '/' ? -1 : a->data[i], y = b->data[i] == '/' ? -1 : b->data[i];
                return x < y ? -1 : 1;
        }
        return a->len < b->len ? -1 : a->len > b->len;
}

int names_check_set(const struct file_span *files, size_t n, struct err *e)
{
        if (n < 2)
                return 0;
        OWN_MEM struct span *sorted = malloc(n * sizeof *sorted);
        if (!sorted)
                return err_set(e, ENOMEM, "%zu file names", n);
        for (size_t i = 0; i < n; i++)
                sorted[i] = files[i].name;
        qsort(sorted, n, sizeof *sorted, compare);

        for (size_t i = 1; i < n; i++) {
                struct span a = sorted[i - 1], b = sorted[i];
                if (b.len < a.len || memcmp(a.data, b.data, a.len) != 0)
                        continue;
                if (a.len == b.len)
                        return err_say(e, EINVAL, "two files are called %s", names_quote(a).text);
                if (b.data[a.len] == '/')
                        return err_say(e, EINVAL, "%s is the name of a file and of a directory (of %s)",
                                       names_quote(a).text, names_quote(b).text);
        }
        return 0;
}
