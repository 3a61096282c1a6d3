/* Standard output and standard error without buffers, as `python3 -u` has them. */
#pragma once

/* In a child, before its program. A stream that a preloaded module has put in the place of Python's own is left as it
 * is.
 */
void python_streams_unbuffer(void);
