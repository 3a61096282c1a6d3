/* How many processors this process may use. */
#pragma once

/* At least 1. */
unsigned cores(void);
