/* The settings that Debian's `php` has: php.ini and the list of extensions. */
#pragma once

#include "lang/php/sapi.h"
#include "proto/base/err.h"
#include "proto/ipc/job.h"

/* Starts the library with the settings of `php`: those of /etc/php/VERSION/cli if the zygote sees them, else the copies
 * in /usr from which Debian's packages make those in /etc. 0, or a negative errno with a sentence.
 */
int php_ini_start(sapi_module_struct *s, struct err *e);

/* The same for the command `php` in a sandbox, by variables in the environment of this process; those of the job are to
 * take their place. 0, or a negative errno. */
int php_ini_for_command(const struct job *job);
