/* Standard output and standard error without buffers, as with `python3 -u`. */
#pragma once

/* To be called in a child, before its program. A stream by which a preloaded module has replaced Python's own is left
 * as it is.
 */
void python_streams_unbuffer(void);
