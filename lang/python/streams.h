/* Standard output and standard error without buffers, as with `python3 -u`. */
#pragma once

/* Call it in a child, before its program. If a preloaded module has replaced a stream of Python's, the replacement
 * stays as it is. */
void python_streams_unbuffer(void);
