/* Reading a dead sandbox's files: see collect_files.h. Nothing changes during the walk, since every process that could
 * change files is dead. But the files themselves are hostile. */
#include "zygote/init/collect_files.h"

#include "proto/base/clock.h"
#include "proto/base/glob.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/ipc/collect.h"
#include "proto/ipc/job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct walk {
        int sock;
        bool gone; /* the pool no longer listens */
        const char *patterns;
        size_t patterns_size;
        uint32_t files_left;
        uint64_t bytes_left;
        uint64_t end_us;
        enum collect_reason reason; /* the first reason why the answer is incomplete */
        char path[GLOB_PATH_MAX];
};

static void miss(struct walk *w, enum collect_reason reason)
{
        if (w->reason == COLLECT_COMPLETE)
                w->reason = reason;
}

static bool send_all(struct walk *w, const void *data, size_t len)
{
        if (!w->gone)
                w->gone = io_send_all(w->sock, data, len) < 0;
        return !w->gone;
}

static bool wanted(const struct walk *w)
{
        const char *end = w->patterns + w->patterns_size;
        for (const char *p = w->patterns; p < end; p += strlen(p) + 1)
                if (glob_match(p, w->path))
                        return true;
        return false;
}

static void send_content(struct walk *w, int fd, uint64_t size)
{
        off_t offset = 0;
        while (size > 0 && !w->gone) {
                ssize_t n = sendfile(w->sock, fd, &offset, size > 1 << 20 ? 1 << 20 : size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        w->gone = true; /* the stream can't go on: the size was announced */
                        return;
                }
                size -= (uint64_t)n;
        }
}

static void visit_file(struct walk *w, int dir, const char *name, const struct stat *seen)
{
        if (!wanted(w))
                return;
        if (w->files_left == 0) {
                miss(w, COLLECT_TOO_MANY);
                return;
        }
        if ((uint64_t)seen->st_size > w->bytes_left) {
                miss(w, COLLECT_TOO_LARGE);
                return;
        }
        OWN_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != seen->st_size) {
                miss(w, COLLECT_UNREADABLE);
                return;
        }

        struct collect_record r = {
                .kind = COLLECT_FILE,
                .mode = st.st_mode & 0777,
                .size = (uint64_t)st.st_size,
                .name_len = (uint32_t)strlen(w->path),
        };
        if (!send_all(w, &r, sizeof r) || !send_all(w, w->path, r.name_len))
                return;
        send_content(w, fd, r.size);
        w->files_left--;
        w->bytes_left -= r.size;
}

static bool out_of_time(struct walk *w)
{
        if ((uint64_t)clock_us() < w->end_us)
                return false;
        miss(w, COLLECT_TOO_LONG);
        return true;
}

static int not_dots(const struct dirent *d)
{
        return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static void visit_directory(struct walk *w, int dir, const char *name, size_t path_len, unsigned depth);

/* Handles one entry of a directory. The first path_len bytes of w->path are the directory's path with its slash. */
static void visit_entry(struct walk *w, int dir, const char *name, size_t path_len, unsigned depth)
{
        size_t len = strlen(name);
        if (path_len + len + 2 > sizeof w->path) {
                miss(w, COLLECT_TOO_DEEP);
                return;
        }
        memcpy(w->path + path_len, name, len + 1);

        struct stat st;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                miss(w, COLLECT_UNREADABLE);
        else if (S_ISREG(st.st_mode))
                visit_file(w, dir, name, &st);
        else if (S_ISDIR(st.st_mode))
                visit_directory(w, dir, name, path_len + len, depth + 1);
}

static void visit_directory(struct walk *w, int dir, const char *name, size_t path_len, unsigned depth)
{
        if (depth > COLLECT_MAX_DEPTH) {
                miss(w, COLLECT_TOO_DEEP);
                return;
        }
        OWN_FD int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent **entries = NULL;
        int n = fd < 0 ? -1 : scandirat(fd, ".", &entries, not_dots, alphasort);
        if (n < 0) {
                miss(w, COLLECT_UNREADABLE);
                return;
        }
        if (path_len > 0)
                w->path[path_len++] = '/';
        for (int i = 0; i < n; i++) {
                if (!w->gone && !out_of_time(w))
                        visit_entry(w, fd, entries[i]->d_name, path_len, depth);
                free(entries[i]);
        }
        free(entries);
}

void collect_files(int directory, int sock)
{
        struct collect_request q;
        if (io_read_all(sock, &q, sizeof q) < 0 || q.patterns_size == 0 || q.patterns_size > COLLECT_MAX_PATTERNS)
                return;
        OWN_MEM char *patterns = malloc(q.patterns_size);
        OWN_MEM struct walk *w = malloc(sizeof *w);
        if (!patterns || !w || io_read_all(sock, patterns, q.patterns_size) < 0 ||
            patterns[q.patterns_size - 1] != '\0')
                return;

        struct timeval timeout = { .tv_sec = (time_t)(q.max_us / 1000000) + 1 };
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        *w = (struct walk){
                .sock = sock,
                .patterns = patterns,
                .patterns_size = q.patterns_size,
                .files_left = q.max_files,
                .bytes_left = q.max_bytes,
                .end_us = (uint64_t)clock_us() + q.max_us,
        };
        visit_directory(w, directory, ".", 0, 0);

        struct collect_record end = { .kind = COLLECT_END, .reason = (uint32_t)w->reason };
        send_all(w, &end, sizeof end);
}
