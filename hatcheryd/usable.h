/* Can a language that is data be served as its file says? A fault that would end each of its zygotes or sandboxes is
 * found at the start, while somebody reads the log. A fault that only running shows (a version command that fails) is
 * left to its zygote. */
#pragma once

#include "pool/config/config.h"
#include "proto/base/err.h"

#include <stdbool.h>

enum { USABLE_PATH_SIZE = 4096 };

/* 0, or a negative errno with a sentence that names the key. files: the directory of Hatchery's own language files,
 * which every such language sees; or NULL. */
int usable_check(const struct config_runtime *r, const char *files, struct err *e);

/* Finds the program of a command line on the host. False if it is not there, or need not be: it is yet to be made, or
 * only sandboxes see it. */
bool usable_find_program(const struct config_runtime *r, const char *word, char path[USABLE_PATH_SIZE]);
