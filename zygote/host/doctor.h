/* `hatcheryd --check-host`: says, line by line, what this host provides, what is missing, and how to provide it. It
 * builds one real sandbox by the same table of steps as a server, so a server would find the same. */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct doctor_options {
        const char *init_program; /* path of hatchery-init */
        const char *instance;     /* name for a cgroup that no server uses */
        uint32_t uid_base;
};

/* Prints to out; returns the number of lines that failed. */
int doctor_examine(const struct doctor_options *options, FILE *out);
