/* Wiping the traces of the start: see wipe.h. */
#include "zygote/wipe.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int wipe_arguments(const char *title, struct err *e)
{
        char text[2048];
        unsigned long start = 0, end = 0;
        OWN_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (n <= 0)
                return err_set(e, errno, "read /proc/self/stat");
        text[n] = '\0';

        /* Field 48 is arg_start, 51 env_end; the name in parentheses, field 2, may hold anything. */
        char *at = strrchr(text, ')');
        for (int field = 3; at && field <= 51; field++) {
                at = strchr(at + 1, ' ');
                if (at && field == 48)
                        start = strtoul(at + 1, NULL, 10);
                if (at && field == 51)
                        end = strtoul(at + 1, NULL, 10);
        }
        size_t len = strlen(title) + 1;
        if (!at || start == 0 || end < start + len)
                return err_say(e, EPROTO, "/proc/self/stat does not tell where the arguments are");
        explicit_bzero(text, sizeof text);
        char *memory = (char *)start; /* NOLINT(performance-no-int-to-ptr): the kernel gives addresses as numbers */
        memset(memory, 0, end - start);
        memcpy(memory, title, len);
        return 0;
}

enum { PAGE = 4096, WIPED = 4 * PAGE, REACH = 4 << 20 };

__attribute__((noinline)) static void wipe_below(void)
{
        char room[WIPED];
        explicit_bzero(room, sizeof room);
}

/* Overwrites the near part of the unused stack, and gives the pages below that part back to the kernel. REACH touches
 * nothing but the stack: the kernel leaves at least 128 MiB for a stack. */
void wipe_stack(void)
{
        wipe_below();
        uintptr_t here = (uintptr_t)__builtin_frame_address(0);
        uintptr_t top = (here & ~(uintptr_t)(PAGE - 1)) - 2 * PAGE; /* below what this call itself needs */
        /* An error only means that some of these pages are not mapped. */
        madvise((void *)(top - REACH), REACH, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr): an address */
}

/* libc's malloc fills freed memory with this byte, and allocated memory with its complement. */
enum { FILL = 0xff };

void wipe_freed_begin(void)
{
        mallopt(M_PERTURB, FILL);
}

/* malloc does not fill the freed blocks that it keeps in its cache: for each small size, seven blocks. */
void wipe_freed_end(void)
{
        enum { SMALLEST = 24, LARGEST = 1032, STEP = 16, KEPT = 7 };
        mallopt(M_PERTURB, 0);
        for (size_t size = SMALLEST; size <= LARGEST; size += STEP) {
                void *kept[KEPT];
                size_t n = 0;
                for (bool at_hand = true; at_hand && n < KEPT; n++) {
                        size_t before = mallinfo2().uordblks;
                        kept[n] = malloc(size);
                        at_hand = mallinfo2().uordblks == before;
                        if (kept[n])
                                explicit_bzero(kept[n], malloc_usable_size(kept[n]));
                }
                while (n > 0)
                        free(kept[--n]);
        }
}
