/* Prometheus' text format 0.0.4: families of metrics, their samples, and the escaping of labels. Pure.
 *
 * Errors of the stream are the caller's to find, by ferror or fclose. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The unit of a number that is given, and how it is written. */
enum metrics_unit {
        METRICS_COUNT,   /* as it is: 3 */
        METRICS_SECONDS, /* microseconds, written as seconds: 1500 is 0.0015 */
};

struct metrics_label {
        const char *name, *value;
};

/* A list of labels, for metrics_sample: LABELS({ "language", "c" }, { "state", "warm" }). */
#define LABELS(...) ((const struct metrics_label[]){ __VA_ARGS__, { NULL, NULL } })
#define NO_LABELS   ((const struct metrics_label[]){ { NULL, NULL } })

/* Begins a family: its HELP and its TYPE. All samples of a family follow each other. */
void metrics_family(FILE *to, const char *name, const char *type, const char *help);

/* Writes a sample. suffix: "" or what the type adds to the family's name, such as "_sum". Values of labels may have any
 * characters. */
void metrics_sample(FILE *to, const char *name, const char *suffix, const struct metrics_label *labels, uint64_t value,
                    enum metrics_unit unit);

enum { METRICS_NUMBER_SIZE = 32 };

/* Writes the number as the text of a sample or of the label `le`. */
void metrics_number(char text[METRICS_NUMBER_SIZE], uint64_t value, enum metrics_unit unit);
