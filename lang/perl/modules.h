/* Modules that the zygote has loaded and that the program has not required yet. %INC does not name them, but a
 * `require` finds them. Then %INC names the module and all modules that it had required, as if they had been loaded at
 * that moment. If a program's @INC finds another module of that name first, that one is loaded instead.
 *
 * The list of these modules lies in the interpreter (PL_modglobal), so that a new thread of the program has it, too. */
#pragma once

#include "lang/perl/headers.h"

/* To be called before anything is loaded: from here on it records which file requires which. */
void perl_modules_begin(pTHX);

/* Loads a module by its name ("JSON::PP"). False if it can't be loaded; $@ and $! are then unchanged. */
bool perl_modules_load(pTHX_ const char *name);

/* To be called when everything is loaded: empties %INC. */
void perl_modules_hide(pTHX);
