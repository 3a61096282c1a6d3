/* Code on huge pages: zygote/hugetext.h. A file in memory stands in for a shared object. */
#include "unit.h"

#include "zygote/hugetext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ANSWER = 42 };

#define HUGE ((size_t)2 << 20)

/* A function that returns ANSWER. */
#if defined(__x86_64__)
static const unsigned char code[] = { 0xb8, ANSWER, 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
static const unsigned char code[] = { 0x40, ANSWER >> 3, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 };
#endif

struct mapping {
        char rights[5];
        unsigned long inode;
};

static struct mapping mapping_at(const void *address)
{
        char line[512];
        uintptr_t from, to;
        struct mapping m;
        FILE *maps = fopen("/proc/self/maps", "re");
        assert_non_null(maps);
        while (fgets(line, sizeof line, maps))
                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &from, &to, m.rights, &m.inode) == 4 &&
                    from <= (uintptr_t)address && (uintptr_t)address < to) {
                        fclose(maps);
                        return m;
                }
        fail_msg("nothing is mapped at %p", address);
        return m;
}

static unsigned long huge_kib(void)
{
        char line[512];
        unsigned long kib = 0;
        FILE *smaps = fopen("/proc/self/smaps_rollup", "re");
        assert_non_null(smaps);
        while (fgets(line, sizeof line, smaps))
                if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
                        break;
        fclose(smaps);
        return kib;
}

/* Reserves addresses, at a multiple of a huge page. */
static char *reserve(size_t size)
{
        char *room = mmap(NULL, size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_true(room != MAP_FAILED);
        return room + (HUGE - (uintptr_t)room % HUGE);
}

/* True if the kernel can give so much memory on huge pages at this moment. */
static bool are_huge_pages_to_be_had(size_t size)
{
        char *at = reserve(size);
        unsigned long before = huge_kib();
        assert_int_equal(mprotect(at, size, PROT_READ | PROT_WRITE), 0);
        if (madvise(at, size, MADV_HUGEPAGE) == 0)
                memset(at, 1, size);
        bool are = huge_kib() >= before + (size >> 10);
        assert_int_equal(munmap(at, size), 0);
        return are;
}

static int file_of(size_t size)
{
        int fd = memfd_create("object", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        return fd;
}

static void map(char *at, size_t size, int rights, int fd, size_t offset)
{
        assert_ptr_equal(mmap(at, size, rights, MAP_PRIVATE | MAP_FIXED, fd, (off_t)offset), at);
}

static int call(const char *at)
{
        int (*function)(void) = NULL;
        memcpy(&function, &at, sizeof at);
        return function();
}

/* Linkers of some machines leave a hole between code and constants. The hole belongs to the file and can't be read. */
static void code_runs_on_and_what_surrounds_it_stays(void **state)
{
        (void)state;
        int fd = file_of(4 * HUGE);
        assert_int_equal(pwrite(fd, code, sizeof code, HUGE), sizeof code);
        assert_int_equal(pwrite(fd, "constant", 8, 3 * HUGE), 8);
        char *at = reserve(4 * HUGE);
        map(at, 2 * HUGE, PROT_READ | PROT_EXEC, fd, 0);
        map(at + 2 * HUGE, HUGE, PROT_NONE, fd, 2 * HUGE);
        map(at + 3 * HUGE, HUGE, PROT_READ, fd, 3 * HUGE);
        unsigned long inode = mapping_at(at).inode;
        assert_true(inode != 0);
        bool can = are_huge_pages_to_be_had(2 * HUGE);

        struct err e;
        size_t bytes = 1;
        assert_int_equal(hugetext_replace(&bytes, &e), 0);
        assert_int_equal(call(at + HUGE), ANSWER);
        assert_string_equal(mapping_at(at).rights, "r-xp");
        assert_string_equal(mapping_at(at + 2 * HUGE).rights, "---p");
        assert_int_equal(mapping_at(at + 2 * HUGE).inode, inode);
        assert_int_equal(mapping_at(at + 3 * HUGE).inode, inode);
        assert_memory_equal(at + 3 * HUGE, "constant", 8);
        close(fd);
        if (!can) {
                print_message("the kernel has no 4 MiB on huge pages now: the replaced pages are not checked\n");
                skip();
        }
        assert_true(bytes >= 2 * HUGE);
        assert_int_equal(mapping_at(at).inode, 0);
        assert_int_equal(mapping_at(at + 2 * HUGE - 1).inode, 0);
}

static void constants_beside_code_go_with_it_and_data_does_not(void **state)
{
        (void)state;
        int fd = file_of(3 * HUGE);
        assert_int_equal(pwrite(fd, code, sizeof code, 0), sizeof code);
        assert_int_equal(pwrite(fd, "constant", 8, 2 * HUGE - 8), 8);
        char *at = reserve(3 * HUGE);
        map(at, HUGE, PROT_READ | PROT_EXEC, fd, 0);
        map(at + HUGE, HUGE, PROT_READ, fd, HUGE);
        map(at + 2 * HUGE, HUGE, PROT_READ | PROT_WRITE, fd, 2 * HUGE);
        at[2 * HUGE] = 'd';

        struct err e;
        size_t bytes = 0;
        assert_int_equal(hugetext_replace(&bytes, &e), 0);
        assert_int_equal(call(at), ANSWER);
        assert_memory_equal(at + 2 * HUGE - 8, "constant", 8);
        assert_int_equal(at[2 * HUGE], 'd');
        assert_string_equal(mapping_at(at + 2 * HUGE).rights, "rw-p");
        assert_true(mapping_at(at + 2 * HUGE).inode != 0);
        assert_int_equal(mapping_at(at).inode == 0, mapping_at(at + HUGE).inode == 0);
        close(fd);
}

static void what_its_file_does_not_reach_stays_as_it_is(void **state)
{
        (void)state;
        int fd = file_of(HUGE);
        assert_int_equal(pwrite(fd, code, sizeof code, 0), sizeof code);
        char *at = reserve(2 * HUGE);
        map(at, 2 * HUGE, PROT_READ | PROT_EXEC, fd, 0);

        struct err e;
        size_t bytes = 0;
        assert_int_equal(hugetext_replace(&bytes, &e), 0);
        assert_int_equal(call(at), ANSWER);
        assert_true(mapping_at(at).inode != 0);
        assert_true(mapping_at(at + HUGE).inode != 0);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(code_runs_on_and_what_surrounds_it_stays),
                cmocka_unit_test(constants_beside_code_go_with_it_and_data_does_not),
                cmocka_unit_test(what_its_file_does_not_reach_stays_as_it_is),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
