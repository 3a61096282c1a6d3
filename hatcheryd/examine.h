/* What hatcheryd says of this host without serving: what it gives, which languages are there, what these may call. */
#pragma once

/* --check-host. config is the path of the main file, or NULL. Returns the exit status: 0 where a server could run. */
int examine_host(const char *config, const char *program_directory);

/* --print-seccomp. Likewise. */
int examine_calls(const char *config, const char *program_directory);
