/* Which jobs get a fresh process, and the command and the environment of this process: lang/startup.h. */
#include "unit.h"

#include "lang/startup.h"
#include "proto/ipc/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const at_start[] = { "EXACT", "FAMILY*", NULL };
static char *no_words[] = { NULL };
static const struct lang language = { .kind = KIND_FORKED, .at_start = at_start };

/* A list of variables; no test writes to it. */
#define VARIABLES(...) ((char **)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

static const char *find(char **env)
{
        struct job job = { .env = env };
        return startup_variable(&language, &job);
}

static void names_and_families_are_found(void **state)
{
        (void)state;
        assert_null(find(VARIABLES("A=1", "EXACTLY=1", "EXAC=1", "FAMIL=1", "MY_FAMILY=1", "VALUE=EXACT=1")));
        assert_string_equal(find(VARIABLES("A=1", "EXACT=2")), "EXACT=2");
        assert_string_equal(find(VARIABLES("EXACT=")), "EXACT=");
        assert_string_equal(find(VARIABLES("FAMILY=1")), "FAMILY=1");
        assert_string_equal(find(VARIABLES("FAMILY_OF=1")), "FAMILY_OF=1");
}

static void what_every_process_reads_is_in_no_list(void **state)
{
        (void)state;
        assert_non_null(find(VARIABLES("LD_PRELOAD=x.so")));
        assert_non_null(find(VARIABLES("MALLOC_ARENA_MAX=1")));
        assert_non_null(find(VARIABLES("GLIBC_TUNABLES=x")));
        assert_null(find(VARIABLES("LD=ld", "MALLOC=1")));
}

static void a_value_that_is_there_already_asks_for_nothing(void **state)
{
        (void)state;
        assert_return_code(setenv("EXACT", "same", 1), errno);
        assert_null(find(VARIABLES("EXACT=same")));
        assert_non_null(find(VARIABLES("EXACT=sam")));
        assert_return_code(unsetenv("EXACT"), errno);
}

/* The value of a variable. If it is there several times, the last value counts. */
static const char *value_in(char **env, const char *name)
{
        const char *value = NULL;
        size_t n = strlen(name);
        for (; *env; env++)
                if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
                        value = *env + n + 1;
        return value;
}

static void without_buffers_a_library_is_preloaded_before_the_jobs_own(void **state)
{
        (void)state;
        struct job job = { .env = VARIABLES("A=2", "LD_PRELOAD=mine.so") };
        char **base = VARIABLES("A=1", "B=1");
        char **env = startup_environment(base, &job);
        assert_string_equal(value_in(env, "A"), "2");
        assert_string_equal(value_in(env, "B"), "1");
        assert_string_equal(value_in(env, "LD_PRELOAD"), "mine.so");
        assert_null(value_in(env, "_STDBUF_O"));
        free(env);

        job.header.unbuffered = 1;
        env = startup_environment(base, &job);
        const char *preload = value_in(env, "LD_PRELOAD");
        assert_non_null(strstr(preload, "/libstdbuf.so:mine.so"));
        assert_string_equal(value_in(env, "_STDBUF_O"), "0");
        free((char *)(uintptr_t)(preload - strlen("LD_PRELOAD=")));
        free(env);
}

static void a_terminal_has_a_name(void **state)
{
        (void)state;
        struct job job = { .env = VARIABLES("A=2") };
        char **base = VARIABLES("A=1");
        char **env = startup_environment(base, &job);
        assert_null(value_in(env, "TERM"));
        free(env);

        job.header.terminal = 1;
        env = startup_environment(base, &job);
        assert_string_equal(value_in(env, "TERM"), "xterm");
        assert_string_equal(value_in(env, "A"), "2");
        free(env);

        job.env = VARIABLES("TERM=dumb");
        env = startup_environment(base, &job);
        assert_string_equal(value_in(env, "TERM"), "dumb");
        free(env);
}

/* Runs startup_begin in a child. Returns the child's exit status. said gets the first bytes of the child's
 * standard output and standard error. */
static int run(const struct lang *lang, const struct job *job, char *said, size_t size)
{
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
                        _exit(99);
                int r = startup_begin(lang, job);
                fflush(stderr);
                _exit(r < 0 ? 98 : r);
        }
        close(ends[1]);
        size_t len = 0;
        for (ssize_t n = 1; n > 0 && len < size - 1; len += (size_t)n) {
                n = read(ends[0], said + len, size - 1 - len);
                assert_true(n >= 0);
        }
        said[len] = '\0';
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

#define SH(...) ((const char *const[]){ "/bin/sh", "sh", "-c", __VA_ARGS__, NULL })

static void the_line_is_that_of_a_fresh_interpreter_or_of_the_prompt(void **state)
{
        (void)state;
        char said[256];
        struct lang lang = {
                .kind = KIND_FORKED,
                .name = "thing",
                .fresh = SH("echo \"$0 $*\"; exit 3", "{interpreter_args}", "{entry}"),
                .prompt = SH("echo prompt; exit 4"),
        };
        static char option[] = "-x", arg[] = "b";
        struct job job = { .entry = "m", .args = (char *[]){ arg, NULL }, .env = VARIABLES("A=1"), .interpreter = "" };
        job.interpreter_args = no_words;
        assert_int_equal(run(&lang, &job, said, sizeof said), 98); /* the job gets no fresh process */
        assert_string_equal(said, "");
        job.header.fresh = 1;
        assert_int_equal(run(&lang, &job, said, sizeof said), 3);
        assert_string_equal(said, "m b\n");
        job.interpreter_args = (char *[]){ option, NULL };
        assert_int_equal(run(&lang, &job, said, sizeof said), 3);
        assert_string_equal(said, "-x m b\n");
        job.entry = "";
        job.interpreter_args = no_words;
        job.header.prompt = 1;
        assert_int_equal(run(&lang, &job, said, sizeof said), 4);
        assert_string_equal(said, "prompt\n");
        lang.fresh = lang.prompt = NULL; /* there is no command */
        assert_int_equal(run(&lang, &job, said, sizeof said), 98);
}

static bool obeys_ones(const char *variable)
{
        return strstr(variable, "=1") != NULL;
}

static bool takes_x(const struct job *job)
{
        return job->interpreter_args[0] && strcmp(job->interpreter_args[0], "-x") == 0;
}

static void a_language_may_do_such_a_job_in_its_started_interpreter(void **state)
{
        (void)state;
        char said[256];
        struct lang lang = { .kind = KIND_FORKED,
                             .name = "thing",
                             .at_start = at_start,
                             .obeys = obeys_ones,
                             .takes = takes_x,
                             .fresh = SH("exit 3", "{interpreter_args}") };
        static char x[] = "-x", y[] = "-y";
        struct job job = {
                .header = { .fresh = 1 }, .entry = "", .args = no_words, .env = no_words, .interpreter = ""
        };
        static const struct {
                char *word;
                const char *variable;
                int status;
        } rows[] = {
                { x, "A=2", 98 },      { y, "A=2", 3 },        { x, "EXACT=1", 98 }, { x, "EXACT=2", 3 },
                { x, "FAMILY=1", 98 }, { x, "LD_DEBUG=1", 3 }, { y, "EXACT=1", 3 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                job.interpreter_args = (char *[]){ rows[i].word, NULL };
                job.env = VARIABLES(rows[i].variable);
                assert_int_equal(run(&lang, &job, said, sizeof said), rows[i].status);
        }
        job.env = VARIABLES("EXACT=1", "FAMILY=2");
        assert_string_equal(startup_variable(&lang, &job), "FAMILY=2");
}

static void another_interpreter_is_a_path_or_found_in_path(void **state)
{
        (void)state;
        char said[256];
        const struct lang lang = { .kind = KIND_FORKED, .name = "thing", .fresh = SH("echo never") };
        struct job job = { .header = { .fresh = 1 }, .entry = "m", .args = no_words, .env = no_words };
        job.interpreter_args = no_words;
        static const struct {
                const char *interpreter, *path, *said;
                int status;
        } rows[] = {
                { "/bin/echo", NULL, "-c echo never\n", 0 },
                { "echo", NULL, "-c echo never\n", 0 },
                { "echo", "PATH=/bin", "-c echo never\n", 0 },
                { "echo", "PATH=/nonexistent", "thing: can't start echo: there is no such program in PATH\n", 127 },
                { "no-such", NULL, "thing: can't start no-such: there is no such program in PATH\n", 127 },
                { "/no/such", NULL, "thing: can't start /no/such: No such file or directory\n", 127 },
                { "/etc/passwd", NULL, "thing: can't start /etc/passwd: Permission denied\n", 126 },
                { "/tmp", NULL, "thing: can't start /tmp: Is a directory\n", 126 },
                { "/etc/passwd/x", NULL, "thing: can't start /etc/passwd/x: Not a directory\n", 126 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                job.interpreter = rows[i].interpreter;
                job.env = rows[i].path ? VARIABLES(rows[i].path) : no_words;
                assert_int_equal(run(&lang, &job, said, sizeof said), rows[i].status);
                assert_string_equal(said, rows[i].said);
        }
}

static void a_prompt_is_there_where_its_program_is(void **state)
{
        (void)state;
        struct lang lang = { .kind = KIND_FORKED };
        assert_false(startup_prompts(&lang));
        static const struct {
                const char *program;
                bool is_there;
        } rows[] = {
                { "/bin/sh", true }, { "sh", true },    { "no-such-program", false },
                { "/no/sh", false }, { "/tmp", false }, { "/etc/passwd", false },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                lang.prompt = (const char *const[]){ rows[i].program, NULL };
                assert_true(startup_prompts(&lang) == rows[i].is_there);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_and_families_are_found),
                cmocka_unit_test(what_every_process_reads_is_in_no_list),
                cmocka_unit_test(a_value_that_is_there_already_asks_for_nothing),
                cmocka_unit_test(without_buffers_a_library_is_preloaded_before_the_jobs_own),
                cmocka_unit_test(a_terminal_has_a_name),
                cmocka_unit_test(the_line_is_that_of_a_fresh_interpreter_or_of_the_prompt),
                cmocka_unit_test(a_language_may_do_such_a_job_in_its_started_interpreter),
                cmocka_unit_test(another_interpreter_is_a_path_or_found_in_path),
                cmocka_unit_test(a_prompt_is_there_where_its_program_is),
        };
        return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
