/* Third-party packages of PHP (Composer's layout: PACKAGES/vendor/autoload.php), and preloading from them. */
#pragma once

#include "lang/lang.h"

/* In a request: the directory comes at the end of include_path, so that `require 'vendor/autoload.php'` finds it.
 * 0, or -1. */
int php_preload_add_packages(const char *packages);

/* Begins a request, loads each module of the setup in it, and leaves it open. A name that ends in ".php" is a file of
 * include_path; any other is a class, by the packages' autoloader, or an extension, which is only checked for. Records
 * the time of each; a module that can't be loaded, or that ends the request, is marked as missing. 0, or a negative
 * errno of `begin` with a sentence. */
int php_preload_try(const struct lang_setup *setup, struct lang_preload *out,
                    int (*begin)(const char *packages, struct err *e), struct err *e);

/* Loads them again, except the missing ones, in the open request. */
void php_preload_all(const struct lang_setup *setup, struct lang_preload *out);
