/* Modules that the zygote has loaded and that the program has not asked for yet. %INC does not name them; a `require`
 * finds them nevertheless, and then %INC names them and all that they had required, as if they had been loaded there
 * and then. A module of the same name that a program's @INC finds first is loaded instead.
 *
 * The list of them is kept in the interpreter (PL_modglobal), so that a new thread of the program has it, too. */
#pragma once

#include "lang/perl/headers.h"

/* Before anything is loaded: from here on what requires what is noted. */
void perl_modules_begin(pTHX);

/* Loads a module by its name ("JSON::PP"). False where it can't be loaded; $@ and $! are as they were then. */
bool perl_modules_load(pTHX_ const char *name);

/* Everything is loaded: empties %INC. */
void perl_modules_hide(pTHX);
