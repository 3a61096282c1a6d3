/* `hatcheryd --check-host`: says, line by line, what this host gives and what to do about what is missing. It builds
 * one real sandbox with the table that every sandbox is built with, so what it finds is what a server would find. */
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
