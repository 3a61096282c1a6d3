/* The settings and extensions that PHP starts with: see ini.h. By itself, Debian's libphp looks for the settings of
 * "embed", which administrators rarely set. */
#include "lang/php/ini.h"

#include "proto/base/own.h"

#include <errno.h>
#include <glob.h>
#include <main/php_main.h>
#include <main/php_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION    ZEND_TOSTR(PHP_MAJOR_VERSION) "." ZEND_TOSTR(PHP_MINOR_VERSION)
#define ETC        "/etc/php/" VERSION "/cli"
#define SHIPPED    "/usr/lib/php/" VERSION "/php.ini-production.cli"
#define EXTENSIONS "/usr/share/php" VERSION "-*/*/*.ini" /* one file for each extension of an installed package */

/* Settings that no php.ini changes for the command line. */
#define FIXED                                                                                                          \
        "html_errors=0\n"                                                                                              \
        "register_argc_argv=1\n"                                                                                       \
        "implicit_flush=1\n"                                                                                           \
        "output_buffering=0\n"                                                                                         \
        "max_execution_time=0\n"                                                                                       \
        "max_input_time=-1\n"

enum { PRIORITY = 20, TEXT_SIZE = 4096 };

struct extension {
        char *text;
        const char *name; /* of the file, without its directory */
        long priority;    /* from a line "; priority=10" of the file; lower priorities are loaded earlier */
};

/* NULL for a file that can't be read. */
static char *read_text(const char *path)
{
        OWN_FILE FILE *file = fopen(path, "re");
        char *text = file ? calloc(1, TEXT_SIZE) : NULL;
        if (text && fread(text, 1, TEXT_SIZE - 1, file) == 0) {
                free(text);
                text = NULL;
        }
        return text;
}

static int compare(const void *a, const void *b)
{
        const struct extension *x = a, *y = b;
        if (x->priority != y->priority)
                return x->priority < y->priority ? -1 : 1;
        return strcmp(x->name, y->name);
}

/* Writes the extensions in the order in which PHP would read Debian's links in conf.d. */
static int write_extensions(FILE *to)
{
        glob_t found = { 0 };
        int r = glob(EXTENSIONS, 0, NULL, &found);
        if (r == GLOB_NOMATCH)
                return 0;
        struct extension *all = r == 0 ? calloc(found.gl_pathc, sizeof *all) : NULL;
        for (size_t i = 0; all && i < found.gl_pathc; i++) {
                const char *priority;
                all[i].text = read_text(found.gl_pathv[i]);
                all[i].name = strrchr(found.gl_pathv[i], '/') + 1;
                priority = all[i].text ? strstr(all[i].text, "; priority=") : NULL;
                all[i].priority = priority ? strtol(priority + strlen("; priority="), NULL, 10) : PRIORITY;
        }
        if (all)
                qsort(all, found.gl_pathc, sizeof *all, compare);
        for (size_t i = 0; all && i < found.gl_pathc; i++) {
                if (all[i].text)
                        fprintf(to, "%s\n", all[i].text);
                free(all[i].text);
        }
        globfree(&found);
        free(all);
        return all ? 0 : -ENOMEM;
}

/* The text must live as long as the library. */
static int settings(bool etc, char **text, struct err *e)
{
        size_t size;
        FILE *to = open_memstream(text, &size);
        if (!to)
                return err_set(e, ENOMEM, "make the settings of PHP");
        int r = etc ? 0 : write_extensions(to);
        fputs(FIXED, to);
        if (fclose(to) == EOF)
                r = -ENOMEM;
        return r < 0 ? err_set(e, -r, "make the settings of PHP") : 0;
}

/* Corrects a constant that tells a program where PHP looks for settings: it gets the value of `php`, not of the
 * library. */
static void correct_constant(const char *name, const char *text)
{
        zval *value = zend_get_constant_str(name, strlen(name));
        if (value)
                ZVAL_NEW_STR(value, zend_string_init(text, strlen(text), true)); /* the old string is shared, so it is
                                                                                  * not freed */
}

/* The directories of EXTENSIONS, each once, with a colon between. NULL without memory. */
static char *scan_directories(void)
{
        glob_t found = { 0 };
        char *list = NULL;
        const char *last = "";
        size_t size;
        if (glob(EXTENSIONS, 0, NULL, &found) != 0)
                return strdup("");
        FILE *to = open_memstream(&list, &size);
        for (size_t i = 0; to && i < found.gl_pathc; i++) { /* in the order of their paths */
                const char *path = found.gl_pathv[i];
                size_t len = (size_t)(strrchr(path, '/') - path);
                if (strncmp(path, last, len + 1) != 0)
                        fprintf(to, "%s%.*s", *last ? ":" : "", (int)len, path);
                last = path;
        }
        bool whole = to && fclose(to) == 0;
        globfree(&found);
        if (whole)
                return list;
        free(list);
        return NULL;
}

int php_ini_for_command(const struct job *job)
{
        (void)job; /* the job's own variables replace these later */
        if (access(ETC "/php.ini", R_OK) == 0)
                return 0;
        OWN_MEM char *directories = scan_directories();
        if (!directories)
                return -ENOMEM;
        return setenv("PHPRC", SHIPPED, 1) < 0 || setenv("PHP_INI_SCAN_DIR", directories, 1) < 0 ? -errno : 0;
}

int php_ini_start(sapi_module_struct *s, struct err *e)
{
        static char etc_file[] = ETC "/php.ini", shipped_file[] = SHIPPED; /* the library has no const for them */
        bool etc = access(etc_file, R_OK) == 0;
        zend_signal_startup();
        sapi_startup(s); /* resets some settings, so they are set after this call */
        int r = settings(etc, &s->ini_entries, e);
        if (r < 0)
                return r;
        if (etc)
                s->php_ini_path_override = etc_file;
        else if (access(shipped_file, R_OK) == 0)
                s->php_ini_path_override = shipped_file;

        /* unsetenv removes the variable again, so no sandbox has it. */
        if (setenv("PHP_INI_SCAN_DIR", etc ? ETC "/conf.d" : "", 1) < 0)
                return err_set(e, errno, "set the environment of PHP");
        r = php_module_startup(s, NULL) == SUCCESS ? 0 : err_say(e, EIO, "PHP can't be initialised");
        unsetenv("PHP_INI_SCAN_DIR");
        if (r == 0) {
                correct_constant("PHP_CONFIG_FILE_PATH", ETC);
                correct_constant("PHP_CONFIG_FILE_SCAN_DIR", ETC "/conf.d");
        }
        return r;
}
