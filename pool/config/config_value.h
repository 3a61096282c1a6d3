/* What all tables of settings share when a configuration is read: values with unit and bounds, lists of words,
 * libconfuse's error messages, and the end of a text. Private to the files config*.c. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/limit.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MAX_MEMORY ((int64_t)1 << 40)
#define CONFIG_MAX_TIME   ((int64_t)24 * 3600 * 1000000)

struct config_setting {
        const char *key;
        enum limit_unit unit;
        int64_t standard; /* the default */
        int64_t min;
        int64_t max;
        size_t offset; /* offset of the field in the struct that is filled; the field is unsigned, or 64 bits wide */
        size_t size;
};

/* libconfuse reports errors to a function without context. So each section gets the context as a hidden option, which
 * the function finds by its name. A text that sets this option is refused like one with an unknown key. */
struct config_sink {
        struct err err; /* the first error */
        int cache_line; /* the line that sets cache, or 0; kept here since libconfuse keeps no lines of options */
};

cfg_opt_t config_sink_option(struct config_sink *sink);
struct config_sink *config_sink_find(cfg_t *cfg);
void config_sink_error(cfg_t *cfg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* A libconfuse parse callback for a table. Returns 0 and the value in *result, or reports an error and returns -1. */
int config_value_check(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result, const struct config_setting *table,
                       size_t n);

/* One libconfuse option per row, all checked by check. Returns n. */
size_t config_value_options(cfg_opt_t *options, const struct config_setting *table, size_t n, cfg_callback_t check);

/* Fills the fields of base with the values that were read. */
void config_value_take(cfg_t *cfg, const struct config_setting *table, size_t n, void *base);

/* libconfuse takes the end of the text for the end of every open section. So a line with this key is added at the end
 * of each text. The key is refused inside a section, so a section that is left open is found. */
#define CONFIG_END_KEY  "end-of-configuration"
#define CONFIG_END_LINE "\n" CONFIG_END_KEY " = 1\n"
cfg_opt_t config_end_option(bool in_section);

/* The form of a list's elements, or of a single word. */
enum config_word {
        CONFIG_WORD_ANY,       /* not empty */
        CONFIG_WORD_NAME,      /* a language's name */
        CONFIG_WORD_PATH,      /* absolute, and without .. */
        CONFIG_WORD_SHOWN,     /* the same, and without characters that have a meaning in overlayfs options */
        CONFIG_WORD_RELATIVE,  /* relative to the work directory, and without .. */
        CONFIG_WORD_EXTENSION, /* a file's extension, without the dot */
        CONFIG_WORD_VARIABLE,  /* name=value */
        CONFIG_WORD_LINK,      /* /name=target: a name without further slashes, and an absolute path without .. */
        CONFIG_WORD_CALL,      /* the name of a system call */
        CONFIG_WORD_FLAG,      /* the form of a compiler's flag */
        CONFIG_WORD_PACKAGE,   /* the name of a Debian package */
};

/* Checks that the word has this form. Otherwise reports an error and returns -1. */
int config_word_check(cfg_t *cfg, const char *key, const char *word, enum config_word must_be);

bool config_is_name(const char *word);

/* The list under key, ending with NULL. Owned by the caller, also after a failure. n may be NULL. An empty list is
 * NULL.
 */
int config_list_take(cfg_t *cfg, const char *key, char ***list, size_t *n, struct err *e);
void config_list_free(char **list);

/* The list's words with spaces between; owned by the caller. */
int config_list_join(cfg_t *cfg, const char *key, char **text, struct err *e);

/* A copy of the string under key, "" if there is none; owned by the caller. */
int config_string_take(cfg_t *cfg, const char *key, char **text, struct err *e);
