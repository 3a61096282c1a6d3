/* PHP: the library initialised once, with a request begun, and a child that runs a file in it as `php FILE` would. */
#include "lang/lang.h"
#include "lang/php/ini.h"
#include "lang/php/preload.h"
#include "lang/php/sapi.h"

#include <errno.h>
#include <ext/random/php_random.h>
#include <main/php_main.h>
#include <main/php_output.h>
#include <main/php_variables.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Begins a request before the name of a program is known. */
static int begin(const char *packages, struct err *e)
{
        SG(options) |= SAPI_OPTION_NO_CHDIR;
        if (php_request_startup() == FAILURE)
                return err_say(e, EIO, "PHP can't begin a request");
        PG(during_request_startup) = 0;
        CG(skip_shebang) = 1;
        if (packages && php_preload_add_packages(packages) < 0)
                return err_say(e, EIO, "PHP does not accept the directory of packages");
        return 0;
}

/* Compiles and runs a program that prints: the paths that every program takes. It leaves no name and no object. */
static void rehearse(void)
{
        static const char program[] = "(function (int $n): void {\n"
                                      "    $list = ['n' => $n];\n"
                                      "    for ($i = 0; $i < $n; $i++) { $list[\"k$i\"] = str_repeat('x', $i); }\n"
                                      "    foreach ($list as $key => $value) { echo $key, ' ', $value, PHP_EOL; }\n"
                                      "    printf(\"%s %d\\n\", implode(' ', array_keys($list)), strlen('abc'));\n"
                                      "})(3);\n";
        static char name[] = "rehearsal"; /* the library has no const for it */
        php_output_start_devnull();
        zend_first_try
        {
                zend_eval_stringl(program, sizeof program - 1, NULL, name);
        }
        zend_end_try();
        php_output_discard_all();
        zend_memory_reset_peak_usage();
}

/* Begins the request that all children inherit. php_preload_try has marked the modules that would end a request; they
 * are left out. */
static int begin_for_children(const struct lang_setup *setup, struct lang_preload *preloads, struct err *e)
{
        int r = begin(setup->packages, e);
        if (r == 0 && php_sapi_register_constants() < 0)
                r = err_say(e, EIO, "PHP's standard streams can't be opened");
        if (r == 0)
                php_preload_all(setup, preloads);
        return r;
}

static int php_warm(const struct lang_setup *setup, struct lang_warmed *out, struct err *e)
{
        sapi_module_struct *php = calloc(1, sizeof *php);
        out->state = php;
        out->preloads = calloc(setup->n_preload ? setup->n_preload : 1, sizeof *out->preloads);
        if (!php || !out->preloads)
                return err_set(e, ENOMEM, "PHP's state");
        signal(SIGPIPE, SIG_IGN); /* as `php` does */
        php_sapi_init(php);
        int r = php_ini_start(php, e);
        if (r < 0)
                return r;
        const zval *version = zend_get_constant_str("PHP_VERSION", sizeof "PHP_VERSION" - 1);
        snprintf(out->version, sizeof out->version, "%s", version ? Z_STRVAL_P(version) : PHP_VERSION);

        r = php_preload_try(setup, out->preloads, begin, e);
        if (r < 0)
                return r;
        rehearse();
        php_request_shutdown(NULL);
        return begin_for_children(setup, out->preloads, e);
}

/* PHP itself seeds from the time and its pid. The pid is the same in all sandboxes, so two sandboxes that seed in one
 * microsecond would draw the same numbers. The bounds are those of the two combined generators. */
static int seed_combined_lcg(void)
{
        php_random_status_state_combinedlcg *lcg = RANDOM_G(combined_lcg)->state;
        uint32_t chance[2];
        if (getrandom(chance, sizeof chance, 0) != sizeof chance)
                return -EIO;
        lcg->state[0] = (int32_t)(chance[0] % 2147483562) + 1;
        lcg->state[1] = (int32_t)(chance[1] % 2147483398) + 1;
        RANDOM_G(combined_lcg_seeded) = true;
        return 0;
}

static int php_after_fork(void *state)
{
        (void)state;
        /* A preloaded module may have drawn random numbers. */
        RANDOM_G(mt19937_seeded) = false;
        RANDOM_G(random_fd) = -1; /* the descriptor is closed by now, if it was open */
        return seed_combined_lcg();
}

static void php_rehearse(void *state)
{
        (void)state;
        rehearse();
}

/* ---------------------------------------------------------------- one program */

/* Sets the facts that the library reads at the beginning of a request, and that differ from the zygote's. */
static int set_request(const struct job *job, char **argv, char *path)
{
        for (char *const *variable = job->env; *variable; variable++)
                if (putenv(*variable) != 0)
                        return -ENOMEM;
        argv[0] = (char *)job->entry; /* the library has no const for it */
        memcpy(argv + 1, job->args, job->header.n_args * sizeof *argv);

        SG(request_info).argc = (int)job->header.n_args + 1;
        SG(request_info).argv = argv;
        SG(request_info).path_translated = path;
        SG(global_request_time) = 0;
        php_build_argv(NULL, NULL);
        zend_is_auto_global(ZSTR_KNOWN(ZEND_STR_AUTOGLOBAL_SERVER));
        return 0;
}

static int php_run(void *state, const struct job *job)
{
        (void)state;
        char **argv = calloc(job->header.n_args + 2, sizeof *argv);
        char *path = realpath(job->entry, NULL);
        if (!argv || (!path && errno == ENOMEM) || set_request(job, argv, path) < 0)
                return 255;

        FILE *file = fopen(job->entry, "rb"); /* not close-on-exec: the program's children inherit it, as from `php` */
        if (!file) {
                fprintf(stderr, "Could not open input file: %s\n", job->entry);
                return 1;
        }
        zend_file_handle handle;
        zend_stream_init_fp(&handle, file, job->entry);
        handle.primary_script = true;

        zend_first_try
        {
                php_execute_script(&handle);
        }
        zend_end_try();
        zend_destroy_file_handle(&handle);
        php_request_shutdown(NULL);
        int status = EG(exit_status); /* read here, since a shutdown function may call exit */
        fflush(NULL);                 /* a library that the program called by FFI may have printed */
        return status;                /* the end of the process frees the rest */
}

static const char *const at_start[] = {
        "LANG", "LC_*", "OPENSSL_*", "PHPRC", "PHP_INI_SCAN_DIR", "USE_TRACKED_ALLOC", "USE_ZEND_ALLOC*", NULL
};
static const char program[] = "/usr/bin/php" ZEND_TOSTR(PHP_MAJOR_VERSION) "." ZEND_TOSTR(PHP_MINOR_VERSION);
static const char *const fresh[] = { program, "php", "{interpreter_args}", "{entry}", NULL };
static const char *const prompt[] = { program, "php", "-a", NULL };

const struct lang hatchery_language = {
        .abi = LANG_ABI,
        .name = "php",
        .aliases = "php8 php8.2",
        .main_file = "main.php",
        .extensions = "php",
        .kind = KIND_FORKED,
        .at_start = at_start,
        .fresh = fresh,
        .prompt = prompt,
        .before_fresh = php_ini_for_command,
        .warm = php_warm,
        .after_fork = php_after_fork,
        .rehearse = php_rehearse,
        .run = php_run,
};
