/* Fuzzes the patterns of output files: proto/base/glob. Short inputs are compared with a plain matcher that tries
 * everything; long ones test only time and memory. Input: pattern, NUL, path. */
#include "proto/base/glob.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static bool matches(const char *pattern, const char *path)
{
        if (*pattern == '\0')
                return *path == '\0';
        if (strncmp(pattern, "**/", 3) == 0) {
                if (matches(pattern + 3, path))
                        return true;
                for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
                        if (matches(pattern + 3, slash + 1))
                                return true;
                return false;
        }
        if (*pattern == '*') {
                bool crosses = pattern[1] == '*';
                for (const char *end = path;; end++) {
                        if (matches(pattern + (crosses ? 2 : 1), end))
                                return true;
                        if (*end == '\0' || (*end == '/' && !crosses))
                                return false;
                }
        }
        return *path != '\0' && (*pattern == '?' ? *path != '/' : *pattern == *path) && matches(pattern + 1, path + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        enum { SHORT_PATTERN = 10, SHORT_PATH = 14 };
        const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
        if (!nul)
                return 0;
        char *pattern = fuzz_text(data, (size_t)(nul - data));
        char *path = fuzz_text(nul + 1, size - (size_t)(nul - data) - 1);

        bool found = glob_match(pattern, path);
        if (strlen(pattern) <= SHORT_PATTERN && strlen(path) <= SHORT_PATH)
                FUZZ_CHECK(found == matches(pattern, path));
        FUZZ_CHECK(!found || strlen(path) < GLOB_PATH_MAX);
        free(pattern);
        free(path);
        return 0;
}
