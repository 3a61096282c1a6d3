/* python3 reads settings from its environment when it starts. Those here can be applied to a started python3, too, and
 * no program sees a difference. A job with any other such variable gets a fresh python3 (lang/startup.h). */
#pragma once

#include <stdbool.h>

/* Is this variable, NAME=VALUE, one that python_settings_apply obeys? */
bool python_settings_obey(const char *variable);

/* Obeys the variables in env that python_settings_obey knows. os.environ has them already. unbuffered: as if
 * PYTHONUNBUFFERED were set. 0, or -1 with a Python exception set. */
int python_settings_apply(char *const *env, bool unbuffered);
