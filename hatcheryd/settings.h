/* Reading the configuration for all roles: parsed once here, and kept as text for the pool. */
#pragma once

#include "pool/config.h"
#include "proto/err.h"

/* Reads a file, or the built-in configuration where path is NULL. On success the caller owns *config (config_fini) and
 * *fd, a memory file with the text: every role reads the same one, whatever happens to the file meanwhile. */
int settings_read(const char *path, struct config *config, int *fd, struct err *e);
