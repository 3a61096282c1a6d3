/* PHP's command line: the part that the executable `php` adds to the library. PHP calls it a SAPI. */
#pragma once

#include <main/php.h>
#include <main/SAPI.h>

/* The SAPI "cli", not yet started. The code that starts it adds the settings. */
void php_sapi_init(sapi_module_struct *s);

/* Defines STDIN, STDOUT, STDERR and the other constants of `php`, in a request that has begun. The streams use
 * descriptors 0 to 2 as they are at this time. 0, or -1. */
int php_sapi_register_constants(void);
