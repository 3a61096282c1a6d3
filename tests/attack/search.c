/* ./search NEEDLE...: looks for needles in all that can be read of every process here but this one: memory, environment,
 * arguments, auxiliary vector, status. A needle is hexadecimal, and each of its bytes is xor KEY, so that what looks for
 * it does not hold it, nor the shell in between. Prints "PROCESS PLACE NUMBER" for each that is found, and at the end
 * "searched PROCESSES BYTES". */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY = 0xa5, MAX_NEEDLES = 64, CHUNK = 1 << 20, LONGEST = 256 };

struct needle {
        unsigned char bytes[LONGEST]; /* as they came: xor KEY */
        size_t len;
};

struct search {
        struct needle needles[MAX_NEEDLES];
        int n;
        unsigned char *chunk;
        size_t total;
        int processes;
};

static int read_needle(struct needle *n, const char *hex)
{
        for (; hex[0] && hex[1] && n->len < LONGEST; hex += 2) {
                const char digits[3] = { hex[0], hex[1], '\0' };
                n->bytes[n->len++] = (unsigned char)strtoul(digits, NULL, 16);
        }
        return n->len >= 4 && !hex[0];
}

static int is_at(const struct needle *n, const unsigned char *at)
{
        for (size_t i = 0; i < n->len; i++)
                if (at[i] != (n->bytes[i] ^ KEY))
                        return 0;
        return 1;
}

/* The needles that the bytes hold, as bits. */
static unsigned long find(const struct search *s, const unsigned char *bytes, size_t len)
{
        unsigned long found = 0;
        for (int i = 0; i < s->n; i++) {
                const struct needle *n = &s->needles[i];
                const unsigned char *at = bytes, *end = bytes + len;
                while ((size_t)(end - at) >= n->len && (at = memchr(at, n->bytes[0] ^ KEY, (size_t)(end - at) - n->len + 1))) {
                        if (is_at(n, at)) {
                                found |= 1ul << i;
                                break;
                        }
                        at++;
                }
        }
        return found;
}

static void say(const struct search *s, const char *pid, const char *place, unsigned long found)
{
        for (int i = 0; i < s->n; i++)
                if (found >> i & 1)
                        printf("%s %s %d\n", pid, place, i);
}

/* In chunks that overlap. What can't be read is passed over by the page. */
static void search_area(struct search *s, int mem, const char *pid, const char *name, unsigned long from, unsigned long to)
{
        unsigned long found = 0;
        while (from < to) {
                size_t want = to - from < CHUNK ? to - from : CHUNK;
                ssize_t n = pread(mem, s->chunk, want, (off_t)from);
                if (n <= 0) {
                        from += 4096;
                        continue;
                }
                found |= find(s, s->chunk, (size_t)n);
                s->total += (size_t)n;
                from += (unsigned long)n;
                if (from < to && n > LONGEST)
                        from -= LONGEST;
        }
        say(s, pid, name, found);
}

static void search_memory(struct search *s, const char *pid)
{
        char path[512], line[1024];
        snprintf(path, sizeof path, "/proc/%s/mem", pid);
        int mem = open(path, O_RDONLY | O_CLOEXEC);
        snprintf(path, sizeof path, "/proc/%s/maps", pid);
        FILE *maps = fopen(path, "re");
        if (mem < 0 || !maps) {
                printf("%s closed -1\n", pid);
                return;
        }
        while (fgets(line, sizeof line, maps)) {
                unsigned long from, to;
                char rights[5], name[512] = "anonymous";
                if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %511s", &from, &to, rights, name) < 3 || rights[0] != 'r' ||
                    strncmp(name, "[v", 2) == 0)
                        continue;
                search_area(s, mem, pid, name, from, to);
        }
        fclose(maps);
        close(mem);
        s->processes++;
}

static void search_files(struct search *s, const char *pid)
{
        static const char *const names[] = { "environ", "cmdline", "auxv", "stat", "status", "cgroup", "mountinfo" };
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                char path[512];
                snprintf(path, sizeof path, "/proc/%s/%s", pid, names[i]);
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : read(fd, s->chunk, CHUNK);
                if (n > 0)
                        say(s, pid, names[i], find(s, s->chunk, (size_t)n));
                if (fd >= 0)
                        close(fd);
        }
}

int main(int argc, char **argv)
{
        static struct search s;
        s.chunk = malloc(CHUNK);
        for (int i = 1; i < argc && s.n < MAX_NEEDLES; i++)
                if (!read_needle(&s.needles[s.n++], argv[i]))
                        return 2;
        DIR *proc = opendir("/proc");
        if (!s.chunk || !proc)
                return 2;
        for (struct dirent *d; (d = readdir(proc));) {
                if (d->d_name[0] < '1' || d->d_name[0] > '9' || atoi(d->d_name) == getpid() || atoi(d->d_name) == 1)
                        continue;
                search_memory(&s, d->d_name);
                search_files(&s, d->d_name);
        }
        closedir(proc);
        printf("searched %d %zu\n", s.processes, s.total);
        return 0;
}
