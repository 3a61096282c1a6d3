/* The sections http of the main file: their keys and checks. Private to the reading of the configuration. */
#pragma once

#include "pool/config/config.h"
#include "pool/config/config_value.h"

#include <confuse.h>

enum { CONFIG_HTTP_OPTIONS = 7 };

struct config_http_grammar {
        char listen[32], contracts[64]; /* libconfuse keeps the defaults of lists as text that it may write to */
        cfg_opt_t options[CONFIG_HTTP_OPTIONS];
};

/* The option http of the main file. g must live as long as the parsed tree. */
cfg_opt_t config_http_option(struct config_http_grammar *g, struct config_sink *sink);

/* Fills c->http, which config_http_fini releases, also after a failure. If there is no section http, c->http is the
 * default section. */
int config_http_take(struct config *c, cfg_t *root, struct err *e);
void config_http_fini(struct config *c);
