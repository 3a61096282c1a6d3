/* The number of processors that this process may use. */
#pragma once

/* At least 1. */
unsigned cores(void);
