/* The parts of reading a configuration that are the same for every table of settings: a value with its unit and bounds,
 * and where libconfuse's complaints go. Private to config.c. */
#pragma once

#include "proto/err.h"
#include "proto/limit.h"

#include <confuse.h>
#include <stddef.h>
#include <stdint.h>

struct config_setting {
        const char *key;
        enum limit_unit unit;
        int64_t standard; /* what it is when the text does not say */
        int64_t min;
        int64_t max;
        size_t offset; /* of the field in the struct that is filled: unsigned, or 64 bits wide */
        size_t size;
};

/* libconfuse reports errors to a function without context. The context travels as an option of each section, which the
 * function finds by its name; a text that names it is refused like any unknown key. */
struct config_sink {
        struct err err; /* the first complaint */
};

cfg_opt_t config_sink_option(struct config_sink *sink);
void config_sink_error(cfg_t *cfg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* A libconfuse parse callback with a table: 0 and the value in *result, or a complaint and -1. */
int config_value_check(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result, const struct config_setting *table,
                       size_t n);

/* One libconfuse option per row, all checked by check. Returns n. */
size_t config_value_options(cfg_opt_t *options, const struct config_setting *table, size_t n, cfg_callback_t check);

/* Fills the fields of base from what was read. */
void config_value_take(cfg_t *cfg, const struct config_setting *table, size_t n, void *base);
