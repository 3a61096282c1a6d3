/* Which variables of a job ask for a process of its own, and what is in the environment of one: lang/startup.h. */
#include "unit.h"

#include "lang/startup.h"
#include "proto/ipc/job.h"

#include <errno.h>
#include <stdlib.h>

static const char *const at_start[] = { "EXACT", "FAMILY*", NULL };
static const struct lang language = { .kind = KIND_FORKED, .at_start = at_start };

/* A list of variables, which nothing here writes to. */
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

/* The last one counts. */
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_and_families_are_found),
                cmocka_unit_test(what_every_process_reads_is_in_no_list),
                cmocka_unit_test(a_value_that_is_there_already_asks_for_nothing),
                cmocka_unit_test(without_buffers_a_library_is_preloaded_before_the_jobs_own),
        };
        return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
