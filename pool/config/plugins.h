/* What is known of plug-ins without loading them: those that Hatchery has the source of. The table is made of the files
 * lang/NAME/NAME.plugin when Hatchery is built, so that it also knows of a plug-in that was not built. */
#pragma once

struct config_plugin {
        const char *name;
        const char *package;        /* Debian packages that bring the interpreter's library, separated by spaces */
        const char *build;          /* those that the plug-in is built with */
        const char *const *preload; /* what is loaded ahead where the operator does not say it; ends with NULL */
};

/* In the order of names; ends with a row that has none. */
extern const struct config_plugin config_plugins[];

/* Or NULL. */
const struct config_plugin *config_find_plugin(const char *name);
