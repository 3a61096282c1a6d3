/* The section of a language to be served: its keys and its checks. Private to config*.c. */
#pragma once

#include "pool/config/config.h"
#include "pool/config/config_value.h"

#include <confuse.h>
#include <stdbool.h>

enum { CONFIG_LANGUAGE_OPTIONS = 24 };

/* The keys of such a section. limits are the options that config_limits_options made. */
void config_language_options(cfg_opt_t options[CONFIG_LANGUAGE_OPTIONS], cfg_opt_t *limits, struct config_sink *sink);

/* Fills l, which is zeroed. The caller releases l also after a failure. c must have its runtimes already. lenient: c
 * may lack some runtimes. */
int config_language_take(struct config_language *l, const struct config *c, cfg_t *section, bool lenient,
                         struct err *e);
void config_language_fini(struct config_language *l);
