/* Prepared files of a language: they are kept, made again when the command changes, and absent if the command fails. */
#include "zygote/prepare.h"
#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
        char cache[64];
        const char *language, *identity;
        int held; /* descriptor of the last result; -1: none */
        struct log log;
};

static int set_up(void **state)
{
        struct fixture *f = test_calloc(1, sizeof *f);
        snprintf(f->cache, sizeof f->cache, "/tmp/hatchery-prepare-XXXXXX");
        f->language = "test";
        f->held = -1;
        f->log = (struct log){ .who = "test", .level = LOG_LEVEL_ERROR };
        *state = f;
        if (!mkdtemp(f->cache))
                return -1;
        return chmod(f->cache, 0755);
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        char command[128];
        own_close(&f->held);
        snprintf(command, sizeof command, "rm -rf -- '%s'", f->cache);
        int r = system(command); /* NOLINT(cert-env33-c): the test has made this name */
        test_free(f);
        return r;
}

static int prepare(struct fixture *f, const char *script, char path[PREPARE_PATH_SIZE], struct err *e)
{
        char *command[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script,
                            (char *)(uintptr_t) "{prepared}", NULL };
        const struct prepare p = {
                .language = f->language, .command = command, .identity = f->identity, .cache = f->cache, .log = &f->log
        };
        own_close(&f->held);
        f->held = -1;
        return prepare_directory(&p, path, &f->held, e);
}

static unsigned count_entries(const char *directory)
{
        DIR *dir = opendir(directory);
        unsigned n = 0;
        assert_non_null(dir);
        for (struct dirent *d; (d = readdir(dir));)
                n += d->d_name[0] != '.';
        closedir(dir);
        return n;
}

static void read_file(const char *directory, const char *name, char text[64])
{
        char path[PREPARE_PATH_SIZE + 64];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, 63);
        assert_in_range(n, 0, 63);
        text[n < 0 ? 0 : n] = '\0';
}

static bool is_root(void)
{
        if (geteuid() == 0)
                return true;
        print_message("this test drops privileges, so it needs root\n");
        return false;
}

static void it_is_made_once_and_as_nobody(void **state)
{
        static const char script[] = "id -u > \"$0/id\"; date +%s%N > \"$0/when\"";
        char path[PREPARE_PATH_SIZE], again[PREPARE_PATH_SIZE], first[64], second[64], id[64];
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(prepare(*state, script, path, &e), 0);
        read_file(path, "id", id);
        assert_string_equal(id, "65534\n");
        read_file(path, "when", first);
        assert_int_equal(prepare(*state, script, again, &e), 0);
        assert_string_equal(path, again);
        read_file(path, "when", second);
        assert_string_equal(first, second);
}

static void another_command_is_another_result(void **state)
{
        char one[PREPARE_PATH_SIZE], two[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(prepare(f, "echo 1 > \"$0/a\"", one, &e), 0);
        assert_int_equal(prepare(f, "echo 2 > \"$0/a\"", two, &e), 0);
        assert_string_not_equal(one, two);
        assert_int_equal(count_entries(f->cache), 2);
}

/* The command does not name the headers that it reads below /usr/include. The identity stands for these files. */
static void what_the_command_reads_is_another_result_when_it_changes(void **state)
{
        char one[PREPARE_PATH_SIZE], two[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        f->identity = "one";
        assert_int_equal(prepare(f, "true", one, &e), 0);
        f->identity = "two";
        assert_int_equal(prepare(f, "true", two, &e), 0);
        assert_string_not_equal(one, two);
}

static void set_age(const char *path, time_t age)
{
        const struct timespec then[2] = { { .tv_sec = time(NULL) - age }, { .tv_sec = time(NULL) - age } };
        assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

/* Three results of each language are kept, and all results that a server still uses. The next preparation removes a
 * result that was not used for a month. */
static void few_results_are_kept_and_those_in_use(void **state)
{
        static const char *const identities[] = { "1", "2", "3", "4", "5", "6" };
        char path[6][PREPARE_PATH_SIZE], others[PREPARE_PATH_SIZE], gone[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        f->language = "test-more"; /* begins with the other language's name */
        assert_int_equal(prepare(f, "true", others, &e), 0);
        snprintf(gone, sizeof gone, "%s/prepared-gone-0123456789abcdef", f->cache);
        assert_int_equal(mkdir(gone, 0755), 0);
        set_age(gone, 31 * 24 * 3600);
        f->language = "test";
        int user = -1;
        for (int i = 0; i < 6; i++) {
                f->identity = identities[i];
                assert_int_equal(prepare(f, "true", path[i], &e), 0);
                set_age(path[i], 600 - 100 * i);
                if (i == 0) /* as if another server used this result */
                        user = dup(f->held);
        }
        for (int i = 0; i < 6; i++)
                assert_int_equal(access(path[i], F_OK), i == 1 || i == 2 ? -1 : 0);
        assert_int_equal(access(others, F_OK), 0);
        assert_int_equal(access(gone, F_OK), -1);
        assert_int_equal(count_entries(f->cache), 5);
        own_close(&user);
        f->identity = identities[5]; /* the next line records a use of this result */
        assert_int_equal(prepare(f, "true", path[5], &e), 0);
        assert_int_equal(access(path[0], F_OK), -1);
        assert_int_equal(count_entries(f->cache), 4);
}

static void of_a_failure_nothing_is_left_but_its_sentence(void **state)
{
        char path[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_refused(prepare(f, "echo much > \"$0/a\"; echo no such header; exit 3", path, &e), &e, EIO,
                       "no such header");
        assert_int_equal(count_entries(f->cache), 0);
}

static void it_can_gain_no_rights_and_write_nowhere_else(void **state)
{
        static const char script[] =
                "grep NoNewPrivs /proc/self/status > \"$0/a\"; touch \"$0/../other\" 2>/dev/null; :";
        char path[PREPARE_PATH_SIZE], text[64];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(prepare(f, script, path, &e), 0);
        read_file(path, "a", text);
        assert_string_equal(text, "NoNewPrivs:\t1\n");
        assert_int_equal(count_entries(f->cache), 1);
}

static void assert_owner(const char *directory, const char *name, mode_t mode)
{
        char path[PREPARE_PATH_SIZE + 64];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_gid, 0);
        if (!S_ISLNK(st.st_mode))
                assert_int_equal(st.st_mode & 07777, mode);
}

/* Otherwise a process of user nobody could change files that all programs are compiled with. */
static void the_result_is_roots_and_nobody_else_may_write_to_it(void **state)
{
        static const char script[] = "cd \"$0\"; umask 0; mkdir -p d/e; echo x > d/e/f; echo x > s; chmod 6777 s;"
                                     "ln -s /etc/passwd l; ln -s nowhere n; ln s h; chmod 700 d";
        char path[PREPARE_PATH_SIZE];
        struct stat before, after;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(stat("/etc/passwd", &before), 0);
        assert_int_equal(prepare(*state, script, path, &e), 0);
        assert_owner(path, ".", 0755);
        assert_owner(path, "d", 0700);
        assert_owner(path, "d/e", 0755);
        assert_owner(path, "d/e/f", 0644);
        assert_owner(path, "s", 0755);
        assert_owner(path, "h", 0755);
        assert_owner(path, "l", 0);
        assert_owner(path, "n", 0);
        assert_int_equal(stat("/etc/passwd", &after), 0);
        assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
}

static void a_result_with_what_is_no_file_is_refused(void **state)
{
        char path[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_refused(prepare(f, "mkfifo \"$0/p\"", path, &e), &e, EINVAL, "/p");
        assert_int_equal(count_entries(f->cache), 0);
}

static void nothing_of_the_command_runs_on(void **state)
{
        static const char script[] = "cd \"$0\"; (exec >/dev/null 2>&1; exec sleep 100) & echo $! > pid";
        char path[PREPARE_PATH_SIZE], text[64];
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(prepare(*state, script, path, &e), 0);
        read_file(path, "pid", text);
        pid_t pid = (pid_t)strtol(text, NULL, 10);
        assert_true(pid > 1);
        for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) { /* until init has reaped it */
                char stat_path[64], line[64] = "";
                snprintf(stat_path, sizeof stat_path, "%d", pid);
                read_file("/proc", strcat(stat_path, "/stat"), line);
                if (strstr(line, ") Z"))
                        break;
                usleep(10000);
                assert_true(i < 499);
        }
}

static void a_command_that_closes_its_streams_is_waited_for(void **state)
{
        char path[PREPARE_PATH_SIZE], text[64];
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(prepare(*state, "exec >/dev/null 2>&1; sleep 0.2; echo late > \"$0/a\"", path, &e), 0);
        read_file(path, "a", text);
        assert_string_equal(text, "late\n");
}

static void a_directory_that_others_may_write_to_is_not_used(void **state)
{
        char path[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        assert_int_equal(chmod(f->cache, 0777), 0);
        assert_refused(prepare(f, "true", path, &e), &e, EPERM, "must be root's");
        assert_int_equal(chmod(f->cache, 0755), 0);
        assert_int_equal(chown(f->cache, 65534, 65534), 0);
        assert_refused(prepare(f, "true", path, &e), &e, EPERM, "must be root's");
}

static void make_draft(struct fixture *f, const char *name, time_t age)
{
        char path[PREPARE_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", f->cache, name);
        assert_int_equal(mkdir(path, 0755), 0);
        set_age(path, age);
}

static void what_a_killed_maker_left_goes_with_time(void **state)
{
        char path[PREPARE_PATH_SIZE];
        struct fixture *f = *state;
        struct err e = { 0 };
        if (!is_root())
                skip();
        make_draft(f, "draft-test-old000", 4000);
        make_draft(f, "draft-test-young0", 30);   /* a server may be writing it */
        make_draft(f, "draft-other-old00", 4000); /* its language may be gone */
        assert_int_equal(prepare(f, "true", path, &e), 0);
        assert_int_equal(count_entries(f->cache), 2);
        snprintf(path, sizeof path, "%s/draft-test-old000", f->cache);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_made_once_and_as_nobody, set_up, tear_down),
                cmocka_unit_test_setup_teardown(another_command_is_another_result, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_the_command_reads_is_another_result_when_it_changes, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(few_results_are_kept_and_those_in_use, set_up, tear_down),
                cmocka_unit_test_setup_teardown(of_a_failure_nothing_is_left_but_its_sentence, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_can_gain_no_rights_and_write_nowhere_else, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_result_is_roots_and_nobody_else_may_write_to_it, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_result_with_what_is_no_file_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(nothing_of_the_command_runs_on, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_command_that_closes_its_streams_is_waited_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_directory_that_others_may_write_to_is_not_used, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_a_killed_maker_left_goes_with_time, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
