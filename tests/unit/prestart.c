/* Helpers: programs that are started before there is a job. Their messages to the process that started them are a
 * closed list. As soon as a helper has a job, it can't reach that process. The helpers here are shell scripts. */
#include "lang/prestart.h"

#include "proto/base/spawn.h"
#include "proto/ipc/job.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Offers a job to a helper that is ready and then runs the script. */
static int offer(const char *script, struct prestart *p)
{
        char line[256], shell[] = "sh", option[] = "-c";
        char *const warm[] = { shell, option, line, NULL };
        char *no_words[] = { NULL };
        const struct job job = { .entry = "main.x", .args = no_words, .env = no_words };

        snprintf(line, sizeof line, "printf R >&3; head -c 4 <&3 >/dev/null; %s", script);
        *p = (struct prestart){ .sock = -1 };
        assert_int_equal(prestart_start(p, warm), 0);
        return prestart_offer(p, &job);
}

static void what_a_helper_says_is_a_closed_list(void **state)
{
        (void)state;
        static struct {
                char script[64];
                int status;
        } rows[] = {
                { "printf C >&3; exit 77", 77 },
                { "printf C >&3; exit 255", 255 },
                { "printf C >&3; exit 0", 1 },
                { "printf N >&3; exit 0", 0 },
                { "exit 77", 0 },
                { "printf CG >&3; exit 3", 3 },
                { "printf Z >&3; exec sleep 1000", 0 },
                { "printf '\\0' >&3; exec sleep 1000", 0 },
                { "printf '\\377C' >&3; exit 5", 0 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct prestart p;
                if (offer(rows[i].script, &p) != rows[i].status)
                        fail_msg("row %zu", i);
                assert_false(p.taken);
        }
}

static void its_starter_is_out_of_its_reach(void **state)
{
        (void)state;
        struct prestart p;
        assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
        assert_int_equal(offer("printf G >&3; head -c 1 <&3 >/dev/null; exit 7", &p), 0);
        assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
        assert_true(p.taken);
}

/* Sends one signal to the whole group of the main process, as a terminal does. */
static void a_signal_for_the_group_is_the_helpers(void **state)
{
        (void)state;
        static const char script[] = "trap 'exit 9' INT; printf G >&3; head -c 1 <&3 >/dev/null; "
                                     "printf s >&4; read x <&4; exit 3";
        int told[2], status;
        char byte = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, told), 0);
        pid_t pid = fork();
        if (pid == 0) {
                struct prestart p;
                if (setsid() < 0 || dup2(told[1], 4) < 0)
                        _exit(1);
                close(told[0]);
                close(told[1]);
                _exit(offer(script, &p) == 0 ? prestart_follow(&p) : 1);
        }
        close(told[1]);
        assert_int_equal(read(told[0], &byte, 1), 1);
        assert_int_equal(kill(-pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(kill(-pid, SIGINT), 0);
        assert_int_equal(kill(-pid, SIGCONT), 0);
        assert_int_equal(shutdown(told[0], SHUT_WR), 0); /* so a process that the signal does not reach ends, too */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 9);
        close(told[0]);
}

/* On failure this process would become a shell, and the TAP plan would not be fulfilled. */
static void what_is_no_program_is_handed_to_no_shell(void **state)
{
        (void)state;
        char path[] = "/tmp/hatchery-prestart-XXXXXX", missing[] = "hatchery-there-is-no-such-program", empty[] = "";
        char *line[] = { path, NULL }, *other[] = { missing, NULL }, *none[] = { empty, NULL };
        int fd = mkostemp(path, O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "exit 0\n", 7), 7);
        assert_int_equal(fchmod(fd, 0700), 0);
        close(fd); /* a file that is open for writing can't be started */
        int r = spawn_become(line, line + 1);
        unlink(path);
        assert_int_equal(r, -ENOEXEC);
        assert_int_equal(spawn_become(other, line + 1), -ENOENT);
        assert_int_equal(spawn_become(none, line + 1), -ENOENT);
}

/* At exit a sanitizer reads its own process, which must be dumpable for this. */
static int tear_down(void **state)
{
        (void)state;
        return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_helper_says_is_a_closed_list),
                cmocka_unit_test(a_signal_for_the_group_is_the_helpers),
                cmocka_unit_test(what_is_no_program_is_handed_to_no_shell),
                cmocka_unit_test(its_starter_is_out_of_its_reach),
        };
        return cmocka_run_group_tests_name("prestart", tests, NULL, tear_down);
}
