/* The directories of the host that sandboxes may see, and those that they never may. */
#include "zygote/base/paths.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void what_a_language_needs_is_shown(void **state)
{
        (void)state;
        struct paths p = { 0 };
        struct err e = { 0 };
        assert_int_equal(paths_add(&p, "/srv/packages", "/hatchery/packages", &e), 0);
        assert_int_equal(paths_add(&p, "/etc/java-17-openjdk", "/etc/java-17-openjdk", &e), 0);
        assert_int_equal(paths_add(&p, "/opt/a..b", "/opt/a..b", &e), 0);
        assert_int_equal(p.n, 3);
        assert_string_equal(p.at[0].host, "/srv/packages");
        assert_string_equal(p.at[0].inside, "/hatchery/packages");
}

static void what_can_not_be_shown_is_refused(void **state)
{
        (void)state;
        static const struct {
                const char *host;
                const char *inside;
                const char *word;
        } rows[] = {
                { "etc/java", "/etc/java", "absolute" },
                { "/etc/java", "etc/java", "absolute" },
                { "/", "/", "absolute" },
                { "", "/x", "absolute" },
                { "/etc/../root", "/etc/java", "\"..\"" },
                { "/etc/java", "/opt/..", "\"..\"" },
                { "/opt/a:b", "/opt/a", "colon" },
                { "/opt/a,b", "/opt/a", "comma" },
                { "/opt/a\\b", "/opt/a", "backslash" },
                { "/opt/a", "/opt/a:/etc", "colon" },
                { "/opt/a", "/usr", "/usr" },
                { "/opt/a", "/usr/local/a", "/usr" },
                { "/opt/a", "/proc/1", "/proc" },
                { "/opt/a", "/home/sandbox", "/home" },
                { "/opt/a", "/tmp", "/tmp" },
                { "/opt/a", "/dev/shm", "/dev" },
                { "/opt/a", "/lib/x", "/lib" },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct paths p = { 0 };
                struct err e = { 0 };
                assert_int_equal(paths_add(&p, rows[i].host, rows[i].inside, &e), -EINVAL);
                assert_non_null(strstr(e.text, rows[i].word));
                assert_int_equal(p.n, 0);
        }
}

static void one_place_shows_one_directory(void **state)
{
        (void)state;
        static const char *const inside[] = { "/opt/a", "/opt/a/b", "/opt" };
        struct paths p = { 0 };
        struct err e = { 0 };
        assert_int_equal(paths_add(&p, "/srv/a", "/opt/a", &e), 0);
        for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
                assert_int_equal(paths_add(&p, "/srv/b", inside[i], &e), -EINVAL);
        assert_int_equal(paths_add(&p, "/srv/b", "/opt/ab", &e), 0);
        assert_int_equal(p.n, 2);
}

static void there_is_room_for_so_many(void **state)
{
        (void)state;
        static const char names[][4] = { "/a0", "/a1", "/a2", "/a3", "/a4", "/a5", "/a6", "/a7",
                                         "/a8", "/a9", "/b0", "/b1", "/b2", "/b3", "/b4", "/b5" };
        struct paths p = { 0 };
        struct err e = { 0 };
        _Static_assert(sizeof names / sizeof names[0] == (size_t)PATHS_MAX, "as many names as places");
        for (size_t i = 0; i < (size_t)PATHS_MAX; i++)
                assert_int_equal(paths_add(&p, names[i], names[i], &e), 0);
        assert_int_equal(paths_add(&p, "/c", "/c", &e), -EINVAL);
        assert_non_null(strstr(e.text, "the most"));
}

static void what_is_closed_to_others_is_found(void **state)
{
        (void)state;
        char directory[] = "/tmp/hatchery-paths-XXXXXX", path[64], name[NAME_MAX + 1];
        assert_non_null(mkdtemp(directory));
        assert_false(paths_find_closed(directory, name));
        assert_false(paths_find_closed("/nonexistent", name));

        snprintf(path, sizeof path, "%s/link", directory);
        assert_int_equal(symlink("/nonexistent", path), 0);
        snprintf(path, sizeof path, "%s/folder", directory);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_false(paths_find_closed(directory, name));

        static const struct {
                mode_t mode;
                bool closed;
        } rows[] = { { 0755, false }, { 0705, false }, { 0754, true }, { 0751, true }, { 0700, true } };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                assert_int_equal(chmod(path, rows[i].mode), 0);
                assert_int_equal(paths_find_closed(directory, name), rows[i].closed);
        }
        assert_string_equal(name, "folder");
        assert_int_equal(rmdir(path), 0);

        snprintf(path, sizeof path, "%s/file", directory);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0600), 0);
        assert_true(paths_find_closed(directory, name));
        assert_string_equal(name, "file");
        assert_int_equal(fchmod(fd, 0644), 0);
        assert_false(paths_find_closed(directory, name));
        close(fd);
        unlink(path);
        snprintf(path, sizeof path, "%s/link", directory);
        unlink(path);
        assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_language_needs_is_shown),    cmocka_unit_test(what_can_not_be_shown_is_refused),
                cmocka_unit_test(one_place_shows_one_directory),     cmocka_unit_test(there_is_room_for_so_many),
                cmocka_unit_test(what_is_closed_to_others_is_found),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
