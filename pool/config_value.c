/* Values of a configuration: see config_value.h. */
#include "pool/config_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char sink_name[] = " where complaints go";

static int refuse_sink(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        (void)value;
        (void)result;
        cfg_error(cfg, "no such option '%s'", opt->name);
        return -1;
}

cfg_opt_t config_sink_option(struct config_sink *sink)
{
        cfg_opt_t option = CFG_PTR_CB(sink_name, NULL, CFGF_NODEFAULT, refuse_sink, NULL);
        option.simple_value.ptr = (void *)sink;
        return option;
}

void config_sink_error(cfg_t *cfg, const char *fmt, va_list args)
{
        struct config_sink *sink = NULL;
        for (cfg_opt_t *o = cfg->opts; o && o->name; o++)
                if (strcmp(o->name, sink_name) == 0)
                        sink = (void *)o->simple_value.ptr;
        if (!sink || sink->err.code)
                return;

        char text[ERR_TEXT_SIZE];
        if (vsnprintf(text, sizeof text, fmt, args) < 0)
                text[0] = '\0';
        err_say(&sink->err, EINVAL, "line %d: %s", cfg->line, text);
}

static const char *unit_hint(enum limit_unit unit)
{
        switch (unit) {
        case LIMIT_UNIT_US:
                return "a time such as 500ms, 6s or 2m";
        case LIMIT_UNIT_BYTES:
                return "a size such as 4096, 64K or 128M";
        case LIMIT_UNIT_COUNT:
                break;
        }
        return "a whole number";
}

/* The value as the unit's people write it, for bounds in sentences. */
static void print_value(char *text, size_t size, enum limit_unit unit, int64_t v)
{
        if (unit == LIMIT_UNIT_US && v % 1000000 == 0)
                snprintf(text, size, "%llds", (long long)v / 1000000);
        else if (unit == LIMIT_UNIT_US)
                snprintf(text, size, "%lldus", (long long)v);
        else if (unit == LIMIT_UNIT_BYTES && v >= 1 << 20 && v % (1 << 20) == 0)
                snprintf(text, size, "%lldM", (long long)v >> 20);
        else
                snprintf(text, size, "%lld", (long long)v);
}

int config_value_check(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result, const struct config_setting *table,
                       size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct config_setting *s = &table[i];
                int64_t v;
                if (strcmp(s->key, opt->name) != 0)
                        continue;
                if (limit_parse(s->unit, value, &v) < 0) {
                        cfg_error(cfg, "%s is %s, not \"%s\"", s->key, unit_hint(s->unit), value);
                        return -1;
                }
                if (v < s->min || v > s->max) {
                        char min[32], max[32];
                        print_value(min, sizeof min, s->unit, s->min);
                        print_value(max, sizeof max, s->unit, s->max);
                        cfg_error(cfg, "%s lies between %s and %s, and %s does not", s->key, min, max, value);
                        return -1;
                }
                *(const char **)result = value;
                return 0;
        }
        return -1;
}

size_t config_value_options(cfg_opt_t *options, const struct config_setting *table, size_t n, cfg_callback_t check)
{
        for (size_t i = 0; i < n; i++)
                options[i] = (cfg_opt_t)CFG_STR_CB(table[i].key, NULL, CFGF_NODEFAULT, check);
        return n;
}

void config_value_take(cfg_t *cfg, const struct config_setting *table, size_t n, void *base)
{
        for (size_t i = 0; i < n; i++) {
                const struct config_setting *s = &table[i];
                int64_t v = s->standard;
                if (cfg_size(cfg, s->key) > 0)
                        limit_parse(s->unit, cfg_getstr(cfg, s->key), &v); /* it was checked when it was read */

                char *field = (char *)base + s->offset;
                if (s->size == sizeof(uint32_t)) {
                        uint32_t narrow = (uint32_t)v;
                        memcpy(field, &narrow, sizeof narrow);
                } else {
                        memcpy(field, &v, sizeof v);
                }
        }
}
