/* The settings that Debian's `php` has: php.ini and the list of extensions. */
#pragma once

#include "lang/php/sapi.h"
#include "proto/base/err.h"
#include "proto/ipc/job.h"

/* Starts the library with the settings of `php`: those of /etc/php/VERSION/cli if the zygote sees that directory, else
 * the files in /usr from which Debian's packages make it. 0, or a negative errno with a sentence. */
int php_ini_start(sapi_module_struct *s, struct err *e);

/* Gives the command `php` in a sandbox the same settings, by environment variables of this process. Variables of the
 * job of the same name must replace them. 0, or a negative errno. */
int php_ini_for_command(const struct job *job);
