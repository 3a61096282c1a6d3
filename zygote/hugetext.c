/* Code on huge pages: see hugetext.h. */
#include "zygote/hugetext.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_STRETCHES = 16, LINE_MAX_SIZE = 512 };

#define HUGE ((uintptr_t)2 << 20) /* the size of a huge page where page tables have 4 KiB: x86-64, most arm64 */

/* Neighbouring mappings of one file, all of them readable and none writable. */
struct stretch {
        uintptr_t from, to;
        unsigned long inode;
        bool code;
};

static uintptr_t round_up(uintptr_t address)
{
        return (address + HUGE - 1) & ~(HUGE - 1);
}

static uintptr_t round_down(uintptr_t address)
{
        return address & ~(HUGE - 1);
}

static bool is_worth_it(const struct stretch *s)
{
        return s->code && round_up(s->from) < round_down(s->to);
}

/* All stretches are found before the first is replaced, since a replacement changes the list that is being read. */
static int find_stretches(struct stretch found[MAX_STRETCHES], size_t *n, struct err *e)
{
        char line[LINE_MAX_SIZE], rights[5];
        struct stretch now = { 0 };
        uintptr_t from, to;
        unsigned long inode;
        OWN_FILE FILE *maps = fopen("/proc/self/maps", "re");
        if (!maps)
                return err_set(e, errno, "open /proc/self/maps");

        *n = 0;
        while (fgets(line, sizeof line, maps)) {
                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &from, &to, rights, &inode) != 4)
                        continue;
                bool belongs = inode != 0 && rights[0] == 'r' && rights[1] != 'w';
                if (belongs && inode == now.inode && from == now.to) {
                        now.to = to;
                        now.code |= rights[2] == 'x';
                        continue;
                }
                if (is_worth_it(&now) && *n < MAX_STRETCHES)
                        found[(*n)++] = now;
                now = belongs ? (struct stretch){ from, to, inode, rights[2] == 'x' } : (struct stretch){ 0 };
        }
        return 0;
}

/* Is all of this memory on huge pages? The kernel gives huge pages where its settings and the free memory permit. */
static bool is_huge(uintptr_t at, size_t size)
{
        char line[LINE_MAX_SIZE];
        uintptr_t from, to;
        unsigned long kib;
        bool here = false;
        OWN_FILE FILE *smaps = fopen("/proc/self/smaps", "re");

        while (smaps && fgets(line, sizeof line, smaps)) {
                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
                        here = from <= at && at < to;
                else if (here && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
                        return kib >= size >> 10;
        }
        return false;
}

/* Copies through the kernel. Then an unreadable page, for example behind the end of its file, gives an error and no
 * signal. The kernel also ignores a sanitizer's guards between constants. */
static bool copy_out(int mem, char *to, uintptr_t from, size_t size)
{
        for (size_t done = 0; done < size;) {
                ssize_t n = pread(mem, to + done, size - done, (off_t)(from + done));
                if (n <= 0)
                        return false;
                done += (size_t)n;
        }
        return true;
}

/* The copy is made elsewhere and then moved, so the code is there at each moment. Returns 0 if it fails. */
static size_t replace(int mem, const struct stretch *s)
{
        uintptr_t from = round_up(s->from);
        size_t size = round_down(s->to) - from;
        void *room =
                mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED)
                return 0;
        char *copy = (char *)room + (round_up((uintptr_t)room) - (uintptr_t)room);
        void *old = (char *)room + (from - (uintptr_t)room); /* where the copy goes: far outside of room */
        bool done = madvise(copy, size, MADV_HUGEPAGE) == 0 && copy_out(mem, copy, from, size) &&
                    is_huge((uintptr_t)copy, size) && mprotect(copy, size, PROT_READ | PROT_EXEC) == 0 &&
                    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, old) != MAP_FAILED;
        munmap(room, size + HUGE); /* after the move, only the rest of the room is left to unmap */
        return done ? size : 0;
}

int hugetext_replace(size_t *bytes, struct err *e)
{
        struct stretch found[MAX_STRETCHES];
        size_t n = 0;
        *bytes = 0;
        OWN_FD int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        if (mem < 0)
                return err_set(e, errno, "open /proc/self/mem");
        int r = find_stretches(found, &n, e);
        for (size_t i = 0; r == 0 && i < n; i++)
                *bytes += replace(mem, &found[i]);
        return r;
}
