/* Reports about this host without serving: what the host provides, which languages it has, which system calls these may
 * use. */
#pragma once

/* --check-host. config is the path of the main file, or NULL. Returns the exit status: 0 where a server could run. */
int examine_host(const char *config, const char *program_directory);

/* --print-seccomp. config and the exit status are as above. */
int examine_calls(const char *config, const char *program_directory);
