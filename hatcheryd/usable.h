/* Can a language that is data be served as its file says? Finds, at the start of the server, mistakes that would end
 * each zygote or sandbox of the language: at that time an operator reads the log. Mistakes that show only when a
 * command runs (a version command that fails) are left to the zygote. */
#pragma once

#include "pool/config/config.h"
#include "proto/base/err.h"

#include <stdbool.h>

enum { USABLE_PATH_SIZE = 4096 };

/* 0, or a negative errno with a sentence that names the key. files: the directory of Hatchery's own language files,
 * which every such language sees; or NULL. */
int usable_check(const struct config_runtime *r, const char *files, struct err *e);

/* Finds the program of a command line on the host. False if it is missing; or if it may be missing, because it is made
 * later or only sandboxes see it. */
bool usable_find_program(const struct config_runtime *r, const char *word, char path[USABLE_PATH_SIZE]);
