/* The parts of reading a configuration that all tables of settings share: a value with its unit and bounds, lists of
 * words, libconfuse's complaints, and the end of a text. Private to the files config*.c.
 */
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
        size_t offset; /* of the field in the struct that is filled: unsigned, or 64 bits wide */
        size_t size;
};

/* libconfuse reports errors to a function without context. The context travels as an option of each section, which the
 * function finds by its name; a text that names it is refused like any unknown key. */
struct config_sink {
        struct err err; /* the first complaint */
        int cache_line; /* the line that names the cache, since libconfuse keeps no lines of options; or 0 */
};

cfg_opt_t config_sink_option(struct config_sink *sink);
struct config_sink *config_sink_find(cfg_t *cfg);
void config_sink_error(cfg_t *cfg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* A libconfuse parse callback for a table: 0 and the value in *result, or a complaint and -1. */
int config_value_check(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result, const struct config_setting *table,
                       size_t n);

/* One libconfuse option per row, all checked by check. Returns n. */
size_t config_value_options(cfg_opt_t *options, const struct config_setting *table, size_t n, cfg_callback_t check);

/* Fills the fields of base with the values that were read. */
void config_value_take(cfg_t *cfg, const struct config_setting *table, size_t n, void *base);

/* libconfuse takes the end of the text for the end of every open section. So one more line is added to each text, with
 * this key, which is refused in a section. */
#define CONFIG_END_KEY  "end-of-configuration"
#define CONFIG_END_LINE "\n" CONFIG_END_KEY " = 1\n"
cfg_opt_t config_end_option(bool in_section);

/* The form of a list's elements, or of a single word. */
enum config_word {
        CONFIG_WORD_ANY,       /* not empty */
        CONFIG_WORD_NAME,      /* of a language */
        CONFIG_WORD_PATH,      /* absolute, and without .. */
        CONFIG_WORD_SHOWN,     /* the same, and without characters that mean something to an overlay */
        CONFIG_WORD_RELATIVE,  /* below the work directory, and without .. */
        CONFIG_WORD_EXTENSION, /* of a file, without the dot */
        CONFIG_WORD_VARIABLE,  /* name=value */
        CONFIG_WORD_LINK,      /* /name=target: one part, and an absolute path without .. */
        CONFIG_WORD_CALL,      /* the name of a system call */
        CONFIG_WORD_FLAG,      /* the form of a compiler's flag */
        CONFIG_WORD_PACKAGE,   /* the name of a Debian package */
};

/* Complains and returns -1 for a word of another form. */
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
