/* Changes the standard streams that Python made in the zygote. If a preloaded module has replaced a stream of Python's,
 * the replacement stays as it is. To be called in a child, before its program. */
#pragma once

/* Makes standard output and standard error unbuffered, as `python3 -u` does. errors: how standard output treats
 * characters that it can't encode; NULL: as before. */
void python_streams_unbuffer(const char *errors);

/* Sets how a stream, such as "__stdin__", treats text that it can't decode or encode. */
void python_streams_set_errors(const char *name, const char *errors);
