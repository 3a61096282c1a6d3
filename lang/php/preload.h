/* Third-party packages of PHP (Composer's layout: PACKAGES/vendor/autoload.php), and preloading from them. */
#pragma once

#include "lang/lang.h"

/* In a request: the directory comes at the end of include_path, so that `require 'vendor/autoload.php'` finds it.
 * 0, or -1. */
int php_preload_add_packages(const char *packages);

/* Begins a request, loads each module of the setup in it, and leaves it open. A name that ends in ".php" is a file in
 * include_path. Any other name is a class, which the packages' autoloader loads, or an extension, which must be loaded
 * already. Records the time of each; a module that can't be loaded, or that ends the request, is marked as missing. 0,
 * or the negative errno of `begin`, with a sentence. */
int php_preload_try(const struct lang_setup *setup, struct lang_preload *out,
                    int (*begin)(const char *packages, struct err *e), struct err *e);

/* Loads the modules again in the open request, except the missing ones. */
void php_preload_all(const struct lang_setup *setup, struct lang_preload *out);
