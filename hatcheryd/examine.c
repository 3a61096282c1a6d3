/* Examining the host: see examine.h. */
#include "hatcheryd/examine.h"

#include "hatcheryd/home.h"
#include "hatcheryd/instance.h"
#include "hatcheryd/runtimes.h"
#include "hatcheryd/settings.h"
#include "pool/config/config.h"
#include "zygote/host/doctor.h"
#include "zygote/sandbox/seccomp.h"
#include "zygote/zygote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const struct err *e)
{
        fprintf(stderr, "hatcheryd: %s\n", e->text);
        return 1;
}

static int examine_walls(const struct config *config, const char *program_directory, int *failures, struct err *e)
{
        char init[HOME_PATH_SIZE];
        struct instance instance = { .lock = -1 };

        int r = home_find(program_directory, "hatchery-init", init, sizeof init, e);
        if (r == 0 && geteuid() == 0)
                r = instance_take(&instance, config->uid_base, e);
        if (r < 0)
                return r;
        const struct doctor_options options = {
                .init_program = init,
                .instance = instance.name,
                .uid_base = instance.sandbox_uid,
        };
        *failures = doctor_examine(&options, stdout);
        instance_release(&instance);
        return 0;
}

/* A missing language is not a failure, unless no language is installed. */
static int examine_languages(const struct runtimes *runtimes)
{
        static const char *const words[] = {
                [RUNTIME_PRESENT] = "ok",
                [RUNTIME_ABSENT] = "absent",
                [RUNTIME_BROKEN] = "FAIL",
        };
        int failures = 0;
        bool any = false;

        for (size_t i = 0; i < runtimes->n; i++) {
                const struct runtime *r = &runtimes->at[i];
                bool is_faulty_file = r->is_data && r->state == RUNTIME_BROKEN; /* no package would correct it */
                bool advise = r->state != RUNTIME_PRESENT && *r->package && !is_faulty_file;
                printf("%-5s language %-19s %s%s%s\n", words[r->state], r->name, r->why,
                       advise ? "; apt-get install " : "", advise ? r->package : "");
                failures += r->state == RUNTIME_BROKEN;
                any = any || r->state == RUNTIME_PRESENT;
        }
        if (!any)
                printf("FAIL  languages                    there is none\n");
        return failures + !any;
}

int examine_host(const char *config_path, const char *program_directory)
{
        const struct settings_source source = { .path = config_path,
                                                .program_directory = program_directory,
                                                .leaves_nothing = true };
        struct runtimes runtimes = { 0 };
        struct config config = { 0 };
        struct err e = { 0 };
        int failures = 0;

        if (settings_survey(&source, &runtimes, &config, &e) < 0)
                return fail(&e);
        int r = examine_walls(&config, program_directory, &failures, &e);
        if (r == 0)
                failures += examine_languages(&runtimes);
        runtimes_fini(&runtimes);
        config_fini(&config);
        if (r < 0)
                return fail(&e);
        printf(failures ? "%d of these must be mended before hatcheryd can run here\n"
                        : "this host can run hatcheryd\n",
               failures);
        return failures != 0;
}

/* In a process of its own: interpreters that are loaded side by side would take each other's symbols. */
static int print_calls_of(const struct runtime *r)
{
        struct err e = { 0 };
        int status = 0;

        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
                int printed = zygote_print_calls(r->name, r->plugin, stdout, &e);
                if (printed < 0)
                        fprintf(stderr, "hatcheryd: %s\n", e.text);
                _exit(fflush(stdout) == 0 && printed == 0 ? 0 : 1);
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return pid > 0 && status == 0 ? 0 : -EIO;
}

int examine_calls(const char *config_path, const char *program_directory)
{
        const struct settings_source source = { .path = config_path,
                                                .program_directory = program_directory,
                                                .leaves_nothing = true };
        struct runtimes runtimes = { 0 };
        struct config config = { 0 };
        struct err e = { 0 };
        int failures = 0;

        if (settings_survey(&source, &runtimes, &config, &e) < 0)
                return fail(&e);
        seccomp_print(stdout);
        for (size_t i = 0; i < runtimes.n; i++) {
                const struct runtime *r = &runtimes.at[i];
                if (r->state != RUNTIME_PRESENT)
                        continue;
                if (r->is_data)
                        seccomp_print_extra(stdout, r->name, (const char *const *)r->data.extra_calls);
                else
                        failures += print_calls_of(r) < 0;
        }
        runtimes_fini(&runtimes);
        config_fini(&config);
        return failures != 0;
}
