/* Fuzzes the names of files: pool/base/names, for single names and for sets. The result for a set is compared with a
 * check of each pair of names. Input: names, separated by line feeds. */
#include "pool/base/names.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_FILES = 64 };

static bool in_the_way(struct span a, struct span b)
{
        if (b.len < a.len || memcmp(a.data, b.data, a.len) != 0)
                return false;
        return a.len == b.len || b.data[a.len] == '/';
}

/* The rule from the prose of docs/protocol.md. */
static bool is_plain(struct span name)
{
        enum { MAX_NAME = 1024, MAX_PART = 255 };
        if (name.len == 0 || name.len > MAX_NAME || memchr(name.data, '\0', name.len))
                return false;
        for (size_t i = 0, start = 0; i <= name.len; i++) {
                if (i < name.len && name.data[i] != '/')
                        continue;
                size_t len = i - start;
                const uint8_t *part = name.data + start;
                bool dots = (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');
                if (len == 0 || len > MAX_PART || dots)
                        return false;
                start = i + 1;
        }
        return true;
}

static void check_quote(struct span name)
{
        struct names_quoted q = names_quote(name);
        size_t len = strnlen(q.text, sizeof q.text);
        FUZZ_CHECK(len >= 2 && len < sizeof q.text && q.text[0] == '"' && q.text[len - 1] == '"');
        for (size_t i = 0; i < len; i++)
                FUZZ_CHECK((uint8_t)q.text[i] >= ' ' && q.text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct file_span files[MAX_FILES] = { 0 };
        uint8_t *owned[MAX_FILES];
        size_t n = 0, plain = 0;

        for (size_t at = 0; at < size && n < MAX_FILES; n++) {
                const uint8_t *end = memchr(data + at, '\n', size - at);
                size_t len = end ? (size_t)(end - data) - at : size - at;
                owned[n] = fuzz_copy(data + at, len);
                struct span name = { owned[n], len };
                struct err e = { 0 };
                int r = names_check(name, &e);
                FUZZ_CHECK(is_plain(name) ? r == 0 : r == -EINVAL && e.text[0] != '\0');
                check_quote(name);
                if (r == 0)
                        files[plain++].name = name;
                at += len + 1;
        }

        bool clash = false;
        for (size_t i = 0; i < plain; i++)
                for (size_t j = 0; j < plain; j++)
                        clash = clash || (i != j && in_the_way(files[i].name, files[j].name));
        struct err e = { 0 };
        FUZZ_CHECK(names_check_set(files, plain, &e) == (clash ? -EINVAL : 0));
        for (size_t i = 0; i < n; i++)
                free(owned[i]);
        return 0;
}
