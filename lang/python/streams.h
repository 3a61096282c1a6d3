/* Changes the standard streams that Python made in the zygote. If a preloaded module has replaced a stream of Python's,
 * the replacement stays as it is.
 *
 * Initialising a stream costs some forty page faults in a fresh fork. So the zygote makes the streams that a program
 * may want, and the fork only puts them into sys. */
#pragma once

#include <stdbool.h>

/* Call in the zygote when everything is preloaded. 0, or -1 with a Python exception set. */
int python_streams_prepare(void);

/* Call in a child, before its program. is_unbuffered: standard output and standard error get no buffer, as with
 * `python3 -u`. is_strict: standard input and standard output refuse characters that they can't decode or encode. */
void python_streams_set(bool is_unbuffered, bool is_strict);
