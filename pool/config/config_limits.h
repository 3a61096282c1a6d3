/* Limits and their ceilings, as sections of a language or a runtime. Private to the reading of the configuration. */
#pragma once

#include "pool/config/config_value.h"
#include "proto/base/err.h"
#include "proto/base/limit.h"

#include <confuse.h>
#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_LIMITS_OPTIONS = LIMIT_COUNT + 3 };

/* The keys of such a section. */
void config_limits_options(cfg_opt_t options[CONFIG_LIMITS_OPTIONS], struct config_sink *sink);

/* One pair of sections. The arrays first hold the values without the sections, and afterwards the values with them. who
 * is the first word of an error's sentence. lenient: a default over its ceiling is cut, since the final ceiling may
 * differ. */
struct config_limits {
        const char *limits, *ceilings; /* the sections' keys */
        int64_t *standard, *ceiling;
};

int config_limits_take(cfg_t *section, const struct config_limits *l, const char *who, bool lenient, struct err *e);

/* The values of the table of limits. */
void config_limits_init(int64_t standard[LIMIT_COUNT], int64_t ceiling[LIMIT_COUNT]);
