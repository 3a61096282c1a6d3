/* Faults that a test asks for: see fault.h. */
#include "zygote/base/fault.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int faults_open(struct faults *f, const char *path, struct err *e)
{
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat s;
        char last = 1;
        if (fd < 0 || fstat(fd, &s) < 0)
                return err_set(e, errno, "open %s", path);
        if (s.st_size <= 0 || pread(fd, &last, 1, s.st_size - 1) != 1 || last != '\0')
                return err_say(e, EINVAL, "%s does not end with a NUL byte", path);
        void *text = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (text == MAP_FAILED)
                return err_set(e, errno, "map %s", path);
        *f = (struct faults){ .text = text, .size = (size_t)s.st_size };
        return 0;
}

/* If the line starts with the word, removes the word from the line. */
static int starts_with(const char **line, size_t *len, const char *word)
{
        size_t n = strlen(word);
        if (*len < n || memcmp(*line, word, n) != 0)
                return 0;
        *line += n;
        *len -= n;
        return 1;
}

static enum fault of_line(const char *line, size_t len, const char *step, int *error)
{
        char number[8];

        if (starts_with(&line, &len, "skip "))
                return starts_with(&line, &len, step) && len == 0 ? FAULT_SKIP : FAULT_NONE;
        if (!starts_with(&line, &len, "fail ") || !starts_with(&line, &len, step) || !starts_with(&line, &len, " ") ||
            len == 0 || len >= sizeof number)
                return FAULT_NONE;
        memcpy(number, line, len);
        number[len] = '\0';
        char *end;
        long value = strtol(number, &end, 10);
        if (*end != '\0' || value <= 0 || value > 4095)
                return FAULT_NONE;
        *error = -(int)value;
        return FAULT_FAIL;
}

enum fault faults_find(const struct faults *f, const char *step, int *error)
{
        *error = 0;
        if (!f || !f->text)
                return FAULT_NONE;
        for (size_t at = 0; at < f->size && f->text[at] != '\0';) {
                size_t len = 0;
                while (at + len < f->size && f->text[at + len] != '\n' && f->text[at + len] != '\0')
                        len++;
                enum fault found = of_line(f->text + at, len, step, error);
                if (found != FAULT_NONE)
                        return found;
                at += len + (at + len < f->size && f->text[at + len] == '\n');
        }
        return FAULT_NONE;
}
