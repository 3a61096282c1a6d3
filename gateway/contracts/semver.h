/* Selectors of versions as npm has them: "*", "3", "3.x", "3.10.0", ">=3.8 <4", "^1.2", "~1.2.3", "1.2 - 2.3", and
 * alternatives with "||". Pure functions over text; they hold no memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A release: installed programs have no pre-release versions here. */
struct semver {
        uint64_t part[3]; /* major, minor, patch */
};

enum { SEMVER_TEXT_SIZE = 64, SEMVER_MAX_SELECTOR = 256 };

/* Reads the version text of a program, which need not be a semantic version: a missing part is 0, and letters and
 * further parts are left out. False: text does not begin with a number. */
bool semver_of_program(struct semver *v, const char *text);

/* "3.11.2". Returns out. */
const char *semver_text(char out[SEMVER_TEXT_SIZE], const struct semver *v);

/* Below zero: a is older than b. Zero: they are equal. Above zero: a is newer. */
int semver_compare(const struct semver *a, const struct semver *b);

/* Does the selector choose this version? False also for a selector that is malformed or longer than
 * SEMVER_MAX_SELECTOR. */
bool semver_matches(const struct semver *v, const char *selector);
