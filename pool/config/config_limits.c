/* Limits in the configuration: see config_limits.h. */
#include "pool/config/config_limits.h"

#include <errno.h>
#include <string.h>

static int check_limit(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                int64_t max = i == LIMIT_STACK                ? LIMIT_STACK_MOST
                              : row->unit == LIMIT_UNIT_US    ? CONFIG_MAX_TIME
                              : row->unit == LIMIT_UNIT_BYTES ? CONFIG_MAX_MEMORY
                                                              : 1 << 20;
                struct config_setting as = { row->option, row->unit, row->standard, 1, max, 0, 0 };
                if (strcmp(opt->name, row->option) == 0)
                        return config_value_check(cfg, opt, value, result, &as, 1);
        }
        return -1;
}

void config_limits_options(cfg_opt_t options[CONFIG_LIMITS_OPTIONS], struct config_sink *sink)
{
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                options[i] = (cfg_opt_t)CFG_STR_CB(limit_table[i].option, NULL, CFGF_NODEFAULT, check_limit);
        options[LIMIT_COUNT] = config_sink_option(sink);
        options[LIMIT_COUNT + 1] = config_end_option(true);
        options[LIMIT_COUNT + 2] = (cfg_opt_t)CFG_END();
}

void config_limits_init(int64_t standard[LIMIT_COUNT], int64_t ceiling[LIMIT_COUNT])
{
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                standard[i] = limit_table[i].standard;
                ceiling[i] = limit_table[i].ceiling;
        }
}

int config_limits_take(cfg_t *section, const struct config_limits *l, const char *who, bool lenient, struct err *e)
{
        cfg_t *limits = cfg_getsec(section, l->limits), *ceilings = cfg_getsec(section, l->ceilings);
        char is[LIMIT_TEXT_SIZE], most[LIMIT_TEXT_SIZE];

        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                bool own = limits && cfg_size(limits, row->option) > 0;

                if (own) /* the value was checked when it was read */
                        limit_parse(row->unit, cfg_getstr(limits, row->option), &l->standard[i]);
                if (ceilings && cfg_size(ceilings, row->option) > 0)
                        limit_parse(row->unit, cfg_getstr(ceilings, row->option), &l->ceiling[i]);
                if (l->standard[i] <= l->ceiling[i])
                        continue;
                if (own && !lenient)
                        return err_say(e, EINVAL, "line %d: %s: %s: %s is %s, over its ceiling of %s; raise it in %s",
                                       limits->line, who, l->limits, row->option,
                                       limit_text(is, row->unit, l->standard[i]),
                                       limit_text(most, row->unit, l->ceiling[i]), l->ceilings);
                l->standard[i] = l->ceiling[i];
        }
        return 0;
}
