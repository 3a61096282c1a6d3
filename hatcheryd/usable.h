/* Can a language that is data be served as its file says? What would end every one of its zygotes, or every one of its
 * sandboxes, is found at the start, while there is somebody to read it. What only its programs can tell (a version
 * command that fails) is left to its zygote. */
#pragma once

#include "pool/config/config.h"
#include "proto/base/err.h"

#include <stdbool.h>

enum { USABLE_PATH_SIZE = 4096 };

/* 0, or a negative errno with a sentence that names the key. files: Hatchery's own language files, which every such
 * language is shown; or NULL. */
int usable_check(const struct config_runtime *r, const char *files, struct err *e);

/* Where the program that a command line begins with is on the host, if it is to be looked for there: false for what is
 * not there, and for what is yet to be made or is seen in sandboxes alone. */
bool usable_find_program(const struct config_runtime *r, const char *word, char path[USABLE_PATH_SIZE]);
