/* ./search NEEDLE...: looks for needles in every process here except itself and process 1: in memory, environment,
 * arguments, auxiliary vector, stat, status, cgroup, mountinfo. ./search pid=N... NEEDLE...: looks in the memory of
 * these processes only. A needle is written in hexadecimal, and each of its bytes is combined with KEY by xor. So
 * neither this program nor the shell that starts it holds the needle itself. Prints "PROCESS PLACE NUMBER" for each
 * find, where NUMBER says which needle, and at the end "searched PROCESSES BYTES". */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY = 0xa5, MAX_NEEDLES = 64, CHUNK = 1 << 18, LONGEST = 256, PAGE = 4096 };

/* An area larger than this is a sanitizer's shadow memory, and is not searched. */
#define LARGEST (64ul << 30)

struct needle {
        unsigned char bytes[LONGEST]; /* as on the command line: xor KEY */
        size_t len;
};

struct search {
        struct needle needles[MAX_NEEDLES];
        int n;
        unsigned char *chunk;
        size_t total;
        int processes;
        unsigned char marked[1 << 16];
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

static uint32_t mix(uint32_t four)
{
        return four * UINT32_C(2654435761) >> 16;
}

/* Marks the hash of each needle's first four bytes, so that find() compares only where such a hash occurs. */
static void mark(struct search *s)
{
        for (int i = 0; i < s->n; i++) {
                uint32_t four;
                unsigned char bytes[sizeof four];
                for (size_t k = 0; k < sizeof bytes; k++)
                        bytes[k] = s->needles[i].bytes[k] ^ KEY;
                memcpy(&four, bytes, sizeof four);
                explicit_bzero(bytes, sizeof bytes);
                s->marked[mix(four)] = 1;
        }
}

/* Returns one bit for each needle: 1 if these bytes hold the needle. */
static uint64_t find(const struct search *s, const unsigned char *bytes, size_t len)
{
        uint64_t found = 0;
        uint32_t four;
        for (size_t at = 0; at + sizeof four <= len; at++) {
                memcpy(&four, bytes + at, sizeof four);
                if (four == 0 || !s->marked[mix(four)])
                        continue;
                for (int i = 0; i < s->n; i++)
                        if (at + s->needles[i].len <= len && is_at(&s->needles[i], bytes + at))
                                found |= UINT64_C(1) << i;
        }
        return found;
}

static void say(const struct search *s, const char *pid, const char *place, uint64_t found)
{
        for (int i = 0; i < s->n; i++)
                if (found >> i & 1)
                        printf("%s %s %d\n", pid, place, i);
}

/* Do these pages hold anything? A page that was never touched holds nothing. */
static int is_there(int pagemap, unsigned long from, size_t len)
{
        uint64_t pages[CHUNK / PAGE];
        ssize_t n = pread(pagemap, pages, len / PAGE * sizeof pages[0], (off_t)(from / PAGE * sizeof pages[0]));
        for (ssize_t i = 0; i < n / (ssize_t)sizeof pages[0]; i++)
                if (pages[i] >> 62)
                        return 1;
        return n <= 0;
}

/* Reads in chunks that overlap. Pages that can't be read are skipped. */
static uint64_t search_area(struct search *s, int mem, int pagemap, unsigned long from, unsigned long to)
{
        uint64_t found = 0;
        while (from < to) {
                size_t want = to - from < CHUNK ? to - from : CHUNK, overlap = 0;
                if (is_there(pagemap, from, want)) {
                        ssize_t n = pread(mem, s->chunk, want, (off_t)from);
                        want = n > 0 ? (size_t)n : PAGE;
                        found |= n > 0 ? find(s, s->chunk, (size_t)n) : 0;
                        s->total += n > 0 ? (size_t)n : 0;
                        overlap = n > PAGE && from + want < to ? PAGE : 0;
                }
                from += want - overlap;
        }
        return found;
}

static int open_of(const char *pid, const char *name)
{
        char path[512];
        snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
        return open(path, O_RDONLY | O_CLOEXEC);
}

static void search_memory(struct search *s, const char *pid)
{
        char line[1024];
        int mem = open_of(pid, "mem"), pagemap = open_of(pid, "pagemap"), fd = open_of(pid, "maps");
        FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
        if (mem < 0 || !maps) {
                printf("%s closed -1\n", pid);
                return;
        }
        while (fgets(line, sizeof line, maps)) {
                unsigned long from, to;
                char rights[5], name[512] = "anonymous";
                if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %511s", &from, &to, rights, name) < 3 || rights[0] != 'r' ||
                    strncmp(name, "[v", 2) == 0 || to - from > LARGEST)
                        continue;
                say(s, pid, name, search_area(s, mem, pagemap, from, to));
        }
        fclose(maps);
        close(mem);
        close(pagemap);
        s->processes++;
}

static void search_files(struct search *s, const char *pid)
{
        static const char *const names[] = { "environ", "cmdline", "auxv", "stat", "status", "cgroup", "mountinfo" };
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                int fd = open_of(pid, names[i]);
                ssize_t n = fd < 0 ? -1 : read(fd, s->chunk, CHUNK);
                if (n > 0)
                        say(s, pid, names[i], find(s, s->chunk, (size_t)n));
                if (fd >= 0)
                        close(fd);
        }
}

static void search_all(struct search *s, DIR *proc)
{
        for (struct dirent *d; (d = readdir(proc));) {
                if (d->d_name[0] < '1' || d->d_name[0] > '9' || atoi(d->d_name) == getpid() || atoi(d->d_name) == 1)
                        continue;
                search_memory(s, d->d_name);
                search_files(s, d->d_name);
        }
}

int main(int argc, char **argv)
{
        static struct search s;
        static const char pid[] = "pid=";
        int first = 1;
        s.chunk = malloc(CHUNK);
        while (first < argc && strncmp(argv[first], pid, strlen(pid)) == 0)
                first++;
        for (int i = first; i < argc && s.n < MAX_NEEDLES; i++)
                if (!read_needle(&s.needles[s.n++], argv[i]))
                        return 2;
        mark(&s);
        DIR *proc = opendir("/proc");
        if (!s.chunk || !proc)
                return 2;
        for (int i = 1; i < first; i++)
                search_memory(&s, argv[i] + strlen(pid));
        if (first == 1)
                search_all(&s, proc);
        closedir(proc);
        printf("searched %d %zu\n", s.processes, s.total);
        return 0;
}
