/* Perl's headers, in the order and with the macros that they need. PERL_NO_GET_CONTEXT: the interpreter is passed from
 * function to function (pTHX, aTHX) and not looked up for each call. */
#pragma once

#define PERL_NO_GET_CONTEXT

#include <EXTERN.h>
#include <perl.h>
/* after perl.h */
#include <XSUB.h>
