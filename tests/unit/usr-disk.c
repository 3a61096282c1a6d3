/* The limit of a slot's reads from the disk of /usr, in both versions of cgroups: zygote/host/usr_disk.h. The groups
 * here are directories of ordinary files, which keep what is written. */
#include "zygote/host/usr_disk.h"

#include "proto/base/own.h"
#include "unit.h"
#include "zygote/cgroup_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define V1_FILE "blkio.throttle.read_bps_device"

enum { ALL = CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPUACCT };

/* Files of a group; ends with NULL. */
static const char *const v1_files[] = {
        "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "pids.max", "pids.current",
        "cpuacct.usage",         "cpuacct.usage_user",    "cpuacct.usage_sys",  "tasks",    NULL
};
static const char *const v1_disk_files[] = { V1_FILE, "tasks", NULL };
static const char *const v2_files[] = { "memory.max",   "memory.current", "memory.events", "pids.max",
                                        "pids.current", "cpu.stat",       "io.max",        NULL };

static void make_group(const char *top, const char *group, const char *const *files)
{
        char path[256];
        snprintf(path, sizeof path, "%s/%s", top, group);
        assert_int_equal(mkdir(path, 0755), 0);
        for (; *files; files++) {
                snprintf(path, sizeof path, "%s/%s/%s", top, group, *files);
                OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                assert_true(fd >= 0);
        }
}

static void assert_holds(const char *top, const char *group, const char *file, const char *text)
{
        char path[256], held[64] = "";
        snprintf(path, sizeof path, "%s/%s/%s", top, group, file);
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_true(read(fd, held, sizeof held - 1) >= 0);
        assert_string_equal(held, text);
}

/* A directory that tear_down removes. */
static int set_up(void **state)
{
        static char top[32];
        strcpy(top, "/tmp/hatchery-unit-XXXXXX");
        *state = mkdtemp(top);
        return *state ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[64];
        snprintf(command, sizeof command, "rm -r %s", (const char *)*state);
        return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

static void a_limit_is_told_as_each_version_has_it(void **state)
{
        (void)state;
        char limit[USR_DISK_LIMIT_SIZE];
        usr_disk_limit("8:16", 0, false, limit);
        assert_string_equal(limit, "8:16 0");
        usr_disk_limit("8:16", UINT64_MAX, false, limit);
        assert_string_equal(limit, "8:16 18446744073709551615");
        usr_disk_limit("8:16", 0, true, limit);
        assert_string_equal(limit, "8:16 rbps=max");
        usr_disk_limit("259:1048575", UINT64_MAX, true, limit);
        assert_string_equal(limit, "259:1048575 rbps=18446744073709551615");
}

/* Makes the groups of slot 3 and of the inits. Returns the result for the slot's group. */
static int make_slot(const struct cgroup_hierarchy *h, size_t n, const char *limit, struct err *e)
{
        struct cgroup_base base;
        struct cgroup_slot slot, inits;
        struct err none = { 0 };
        assert_int_equal(cgroup_base_init(&base, h, n, "x", e), 0);
        snprintf(base.disk_read, sizeof base.disk_read, "%s", limit);
        int r = cgroup_slot_init(&slot, &base, 3, e);
        assert_int_equal(cgroup_slot_init(&inits, &base, CGROUP_SLOT_INITS, &none), 0);
        cgroup_slot_fini(&slot, &none); /* a directory that is no cgroup can't be removed with its files in it */
        cgroup_slot_fini(&inits, &none);
        cgroup_base_fini(&base);
        return r;
}

static void a_slot_of_version_1_gets_it_in_its_group_of_blkio(void **state)
{
        char disks[40];
        struct err e = { 0 };
        struct cgroup_hierarchy h[] = { { .controllers = ALL }, { .controllers = CGROUP_BLKIO } };
        snprintf(disks, sizeof disks, "%s/blkio", (const char *)*state);
        assert_int_equal(mkdir(disks, 0755), 0);
        snprintf(h[0].mount, sizeof h[0].mount, "%s", (const char *)*state);
        snprintf(h[1].mount, sizeof h[1].mount, "%s", disks);
        make_group(*state, "x-3", v1_files);
        make_group(*state, "x-init", v1_files);
        make_group(disks, "x-3", v1_disk_files);
        make_group(disks, "x-init", v1_disk_files);
        assert_int_equal(make_slot(h, 2, "8:0 5000", &e), 0);
        assert_holds(disks, "x-3", V1_FILE, "8:0 5000");
        assert_holds(disks, "x-init", V1_FILE, "");
}

static void a_slot_of_version_2_gets_it_beside_its_other_limits(void **state)
{
        struct err e = { 0 };
        struct cgroup_hierarchy h = { .v2 = true, .controllers = ALL | CGROUP_BLKIO };
        snprintf(h.mount, sizeof h.mount, "%s", (const char *)*state);
        make_group(*state, "x-3", v2_files);
        make_group(*state, "x-init", v2_files);
        assert_int_equal(make_slot(&h, 1, "8:0 rbps=5000", &e), 0);
        assert_holds(*state, "x-3", "io.max", "8:0 rbps=5000");
        assert_holds(*state, "x-init", "io.max", "");
}

static void a_slot_that_can_t_be_limited_is_none(void **state)
{
        char path[64];
        struct err e = { 0 };
        struct cgroup_hierarchy h = { .v2 = true, .controllers = ALL | CGROUP_BLKIO };
        snprintf(h.mount, sizeof h.mount, "%s", (const char *)*state);
        make_group(*state, "x-3", v2_files);
        make_group(*state, "x-init", v2_files);
        snprintf(path, sizeof path, "%s/x-3/io.max", (const char *)*state);
        assert_int_equal(unlink(path), 0);
        assert_refused(make_slot(&h, 1, "8:0 rbps=5000", &e), &e, ENOENT, "io.max");
}

static void whether_there_is_a_limit_is_tried(void **state)
{
        char disk[USR_DISK_SIZE], none[USR_DISK_LIMIT_SIZE];
        struct err e = { 0 };
        struct stat usr;
        struct cgroup_tree tree = { .n = 1, .at = { { .v2 = true, .group = "own", .controllers = ALL } } };
        snprintf(tree.at[0].mount, sizeof tree.at[0].mount, "%s", (const char *)*state);
        make_group(*state, "own", v2_files);
        assert_refused(usr_disk_find(&tree, disk, &e), &e, ENOENT, "controller");
        assert_string_equal(disk, "");

        assert_int_equal(stat("/usr", &usr), 0);
        if (major(usr.st_dev) == 0)
                skip(); /* here /usr names no disk */
        tree.at[0].controllers |= CGROUP_BLKIO;
        assert_int_equal(usr_disk_find(&tree, disk, &e), 0);
        usr_disk_limit(disk, 0, true, none);
        assert_holds(*state, "own", "io.max", none);
        assert_non_null(strchr(disk, ':'));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_limit_is_told_as_each_version_has_it),
                cmocka_unit_test_setup_teardown(a_slot_of_version_1_gets_it_in_its_group_of_blkio, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_slot_of_version_2_gets_it_beside_its_other_limits, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_slot_that_can_t_be_limited_is_none, set_up, tear_down),
                cmocka_unit_test_setup_teardown(whether_there_is_a_limit_is_tried, set_up, tear_down),
        };
        return cmocka_run_group_tests_name("usr-disk", tests, NULL, NULL);
}
