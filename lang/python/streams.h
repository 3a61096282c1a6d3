/* Standard streams that are not as Python made them in the zygote. If a preloaded module has replaced a stream of
 * Python's, the replacement stays as it is. To be called in a child, before its program. */
#pragma once

/* Standard output and standard error without buffers, as with `python3 -u`. errors: how standard output treats what it
 * can't encode; NULL: as before. */
void python_streams_unbuffer(const char *errors);

/* How a stream, "__stdin__", treats what it can't decode or encode. */
void python_streams_set_errors(const char *name, const char *errors);
