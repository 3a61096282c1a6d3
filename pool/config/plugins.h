/* The facts about plug-ins that are known without loading them, for all plug-ins in Hatchery's source. The build makes
 * the table from the files lang/NAME/NAME.plugin, so it also knows plug-ins that were not built. */
#pragma once

struct config_plugin {
        const char *name;
        const char *package;        /* Debian packages that bring the interpreter's library, separated by spaces */
        const char *build;          /* Debian packages to build the plug-in with */
        const char *const *preload; /* modules that are preloaded by default; ends with NULL */
};

/* In the order of names; ends with a row without a name. */
extern const struct config_plugin config_plugins[];

/* NULL: there is no such plug-in. */
const struct config_plugin *config_find_plugin(const char *name);
