/* Packages and preloading: see preload.h. */
#include "lang/php/preload.h"
#include "lang/preload.h"

#include "proto/base/clock.h"

#include <main/php.h>
#include <main/php_main.h>
#include <main/php_output.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Zend/zend_exceptions.h>

enum { CODE_SIZE = 2048, NAME_SIZE = 512 };

int php_preload_add_packages(const char *packages)
{
        static const char setting[] = "include_path";
        char path[NAME_SIZE];
        int n = snprintf(path, sizeof path, "%s:%s", zend_ini_string(setting, sizeof setting - 1, 0), packages);
        if (n < 0 || (size_t)n >= sizeof path)
                return -1;
        zend_string *name = zend_string_init(setting, sizeof setting - 1, false);
        zend_result r = zend_alter_ini_entry_chars(name, path, (size_t)n, PHP_INI_SYSTEM, PHP_INI_STAGE_RUNTIME);
        zend_string_release(name);
        return r == SUCCESS ? 0 : -1;
}

/* Writes a text for single quotes. False if there is no room. */
static bool quote(const char *text, char *out, size_t size)
{
        size_t n = 0;
        for (; *text && n + 2 < size; text++) {
                if (*text == '\'' || *text == '\\')
                        out[n++] = '\\';
                out[n++] = *text;
        }
        out[n] = '\0';
        return !*text;
}

static bool write_code(const char *name, const char *packages, char *code, size_t size)
{
        char quoted[NAME_SIZE], autoload[NAME_SIZE] = "";
        size_t len = strlen(name);
        if (!quote(name, quoted, sizeof quoted) || (packages && !quote(packages, autoload, sizeof autoload)))
                return false;
        int n;
        if (len > 4 && strcmp(name + len - 4, ".php") == 0)
                n = snprintf(code, size, "(@include_once '%s') !== false", quoted);
        else
                n = snprintf(code, size,
                             "extension_loaded('%s') || (@include_once '%s/vendor/autoload.php') === null || "
                             "class_exists('%s') || interface_exists('%s') || trait_exists('%s')",
                             quoted, autoload, quoted, quoted, quoted);
        return n > 0 && (size_t)n < size;
}

static char title[] = "preload"; /* the library has no const for it, and does not write to it */

/* Loads a module; true if the module is there now. *ended: the module has ended the request, by exit or a fatal
 * error. */
static bool load(const char *name, const char *packages, bool *ended)
{
        char code[CODE_SIZE];
        bool volatile loaded = false, finished = false;
        if (!write_code(name, packages, code, sizeof code))
                return false;
        php_output_start_devnull();
        zend_first_try
        {
                zval found;
                ZVAL_FALSE(&found);
                loaded = zend_eval_stringl(code, strlen(code), &found, title) == SUCCESS && !EG(exception) &&
                         zend_is_true(&found);
                zend_clear_exception();
                finished = true;
        }
        zend_end_try();
        if (finished)
                php_output_discard_all();
        *ended = !finished;
        return loaded;
}

/* False if a module has ended the request; that module is marked as missing. */
static bool load_each(const struct lang_setup *setup, struct lang_preload *out)
{
        for (size_t i = 0; i < setup->n_preload; i++) {
                bool ended = false;
                if (out[i].missing)
                        continue;
                uint64_t began_us = (uint64_t)clock_us();
                out[i].name = setup->preload[i];
                out[i].missing = !load(setup->preload[i], setup->packages, &ended);
                out[i].first_us = (uint64_t)clock_us() - began_us;
                if (ended)
                        return false;
        }
        return true;
}

int php_preload_try(const struct lang_setup *setup, struct lang_preload *out,
                    int (*begin)(const char *packages, struct err *e), struct err *e)
{
        int r = begin(setup->packages, e);
        while (r == 0 && !load_each(setup, out)) {
                php_request_shutdown(NULL);
                r = begin(setup->packages, e);
        }
        return r;
}

void php_preload_all(const struct lang_setup *setup, struct lang_preload *out)
{
        static const char forget[] = "error_clear_last();";
        for (size_t i = 0; i < setup->n_preload; i++) {
                bool ended;
                if (out[i].missing || !load(setup->preload[i], setup->packages, &ended))
                        continue;
                uint64_t began_us = (uint64_t)clock_us();
                load(setup->preload[i], setup->packages, &ended);
                out[i].again_us = (uint64_t)clock_us() - began_us;
        }
        if (setup->n_preload > 0)
                zend_eval_stringl(forget, sizeof forget - 1, NULL, title);
        EG(exit_status) = 0; /* the request before this one has left its status */
}
