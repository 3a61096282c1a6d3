/* The table of plug-ins: see plugins.h. */
#include "pool/config/plugins.h"

#include "pool/config/plugin_table.h"

#include <stddef.h>
#include <string.h>

#define PLUGIN(name, package, build, ...) { name, package, build, (const char *const[]){ __VA_ARGS__ } },

const struct config_plugin config_plugins[] = { PLUGIN_ROWS{ 0 } };

const struct config_plugin *config_find_plugin(const char *name)
{
        for (const struct config_plugin *p = config_plugins; p->name; p++)
                if (strcmp(p->name, name) == 0)
                        return p;
        return NULL;
}
