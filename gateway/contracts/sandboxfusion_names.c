/* Names of files: see sandboxfusion_names.h. */
#include "gateway/contracts/sandboxfusion_names.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int refuse(const char **why, const char *reason)
{
        *why = reason;
        return -EINVAL;
}

/* Appends one part to a name of len bytes; ".." removes the last part. Returns the new length, or -EINVAL. */
static int add_part(char *out, size_t len, struct span part, const char **why)
{
        if (part.len == 0 || (part.len == 1 && part.data[0] == '.'))
                return (int)len;
        if (part.len == 2 && memcmp(part.data, "..", 2) == 0) {
                if (len == 0)
                        return refuse(why, "leaves the work directory, " FUSION_WORK_DIRECTORY
                                           "; only files below it can be placed or fetched");
                const char *slash = memrchr(out, '/', len);
                return slash ? (int)(slash - out) : 0;
        }
        if (part.len > 255)
                return refuse(why, "has a part of more than 255 bytes, which no file name may have");
        if (len + 1 + part.len > FUSION_NAME_MAX)
                return refuse(why, "is longer than 1024 bytes");
        if (len > 0)
                out[len++] = '/';
        memcpy(out + len, part.data, part.len);
        return (int)(len + part.len);
}

int fusion_name(struct span given, char out[FUSION_NAME_MAX + 1], const char **why)
{
        static const char work[] = FUSION_WORK_DIRECTORY "/";
        const size_t work_len = sizeof work - 1;

        if (given.len > 0 && memchr(given.data, '\0', given.len))
                return refuse(why, "holds a NUL byte, which no file name may hold");
        if (given.len > 0 && given.data[0] == '/') {
                if (given.len <= work_len || memcmp(given.data, work, work_len) != 0)
                        return refuse(why, "is outside of the work directory, " FUSION_WORK_DIRECTORY
                                           "; use a relative path, or one below it");
                given.data += work_len;
                given.len -= work_len;
        }
        if (given.len > 0 && given.data[given.len - 1] == '/')
                return refuse(why, "ends with a slash, so it names a directory");

        size_t len = 0;
        while (given.len > 0) {
                const uint8_t *slash = memchr(given.data, '/', given.len);
                struct span part = { given.data, slash ? (size_t)(slash - given.data) : given.len };
                int r = add_part(out, len, part, why);
                if (r < 0)
                        return r;
                len = (size_t)r;
                size_t taken = part.len + (slash != NULL);
                given.data += taken;
                given.len -= taken;
        }
        if (len == 0)
                return refuse(why, "names no file");
        out[len] = '\0';
        return (int)len;
}
