/* The section of a runtime (a language that is data): its keys, its checks, and how it becomes text again. Private to
 * the reading of the configuration; config.h has the public part. */
#pragma once

#include "pool/config/config.h"
#include "pool/config/config_limits.h"
#include "pool/config/config_value.h"

#include <confuse.h>

enum { CONFIG_RUNTIME_OPTIONS = 32 };

/* The keys of such a section. limits are those of config_limits_options. */
void config_runtime_options(cfg_opt_t options[CONFIG_RUNTIME_OPTIONS], cfg_opt_t *limits, struct config_sink *sink);

/* Fills r, which is zeroed; it is to be released after a failure, too. */
int config_runtime_take(struct config_runtime *r, cfg_t *section, struct err *e);
