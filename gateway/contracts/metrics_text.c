/* Prometheus' text format: see metrics_text.h. */
#include "gateway/contracts/metrics_text.h"

#include <inttypes.h>
#include <string.h>

/* Help texts have no quotes to escape, labels have. */
static void write_escaped(FILE *to, const char *text, const char *escaped)
{
        for (; *text; text++) {
                if (*text == '\n') {
                        fputs("\\n", to);
                        continue;
                }
                if (strchr(escaped, *text))
                        putc('\\', to);
                putc(*text, to);
        }
}

void metrics_family(FILE *to, const char *name, const char *type, const char *help)
{
        fprintf(to, "# HELP %s ", name);
        write_escaped(to, help, "\\");
        fprintf(to, "\n# TYPE %s %s\n", name, type);
}

void metrics_number(char text[METRICS_NUMBER_SIZE], uint64_t value, enum metrics_unit unit)
{
        if (unit == METRICS_COUNT) {
                snprintf(text, METRICS_NUMBER_SIZE, "%" PRIu64, value);
                return;
        }
        int n = snprintf(text, METRICS_NUMBER_SIZE, "%" PRIu64 ".%06" PRIu64, value / 1000000, value % 1000000);
        while (text[n - 1] == '0')
                text[--n] = '\0';
        if (text[n - 1] == '.')
                text[--n] = '\0';
}

void metrics_sample(FILE *to, const char *name, const char *suffix, const struct metrics_label *labels, uint64_t value,
                    enum metrics_unit unit)
{
        char number[METRICS_NUMBER_SIZE];

        fprintf(to, "%s%s", name, suffix);
        for (const struct metrics_label *l = labels; l->name; l++) {
                fprintf(to, "%c%s=\"", l == labels ? '{' : ',', l->name);
                write_escaped(to, l->value, "\\\"");
                putc('"', to);
        }
        metrics_number(number, value, unit);
        fprintf(to, "%s %s\n", labels->name ? "}" : "", number);
}
