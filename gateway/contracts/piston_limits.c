/* The limits of a request to Piston: milliseconds and bytes, at most the server's own limits. */
#include "gateway/contracts/piston_parts.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

/* In Piston's order of checks. */
static const struct field {
        const char *name;
        bool is_compile;
        enum limit limit;
        int64_t unit;     /* Piston's unit, in the pool's units */
        int64_t standard; /* in the pool's units; 0: the pool's own default */
} fields[] = {
        { "compile_memory_limit", true, LIMIT_MEMORY, 1, 0 },
        { "run_memory_limit", false, LIMIT_MEMORY, 1, 0 },
        { "compile_timeout", true, LIMIT_WALL, US_PER_MS, 10000000 },
        { "run_timeout", false, LIMIT_WALL, US_PER_MS, 3000000 },
        { "compile_cpu_time", true, LIMIT_CPU, US_PER_MS, 10000000 },
        { "run_cpu_time", false, LIMIT_CPU, US_PER_MS, 3000000 },
};

static int64_t ceiling_of(const hatchery_v1_LanguageStatus *l, enum limit limit)
{
        const hatchery_v1_Limits *most = &l->max_limits;

        if (l->has_max_limits && limit == LIMIT_WALL && most->has_wall_us)
                return most->wall_us;
        if (l->has_max_limits && limit == LIMIT_CPU && most->has_cpu_us)
                return most->cpu_us;
        if (l->has_max_limits && limit == LIMIT_MEMORY && most->has_memory_bytes)
                return most->memory_bytes;
        return limit_table[limit].ceiling;
}

/* A value that JavaScript treats as false counts as absent. So a timeout of 0 means the default, and lifts no limit. */
static bool is_absent(const json_t *value)
{
        return !value || json_is_null(value) || json_is_false(value) ||
               (json_is_number(value) && json_number_value(value) == 0) ||
               (json_is_string(value) && json_string_length(value) == 0);
}

/* Reads one field: 1 and *value, in the pool's units; 0: the field is absent; -1: why is filled. */
static int read_field(const struct field *f, const json_t *body, int64_t ceiling, int64_t *value, struct failure *why)
{
        const json_t *asked = json_object_get(body, f->name);

        if (is_absent(asked))
                return 0;
        if (!json_is_number(asked)) {
                failure_set(why, 400, "INVALID_ARGUMENT", "If specified, %s must be a number", f->name);
                return -1;
        }
        const double number = json_number_value(asked), floor = (double)limit_table[f->limit].floor;
        if (f->limit == LIMIT_MEMORY && number == -1)
                return 0;
        const int64_t most = ceiling / f->unit;
        if (number > (double)most) {
                failure_set(why, 400, "INVALID_ARGUMENT", "%s cannot exceed the configured limit of %" PRId64, f->name,
                            most);
                return -1;
        }
        if (number < 0) {
                failure_set(why, 400, "INVALID_ARGUMENT", "%s must be non-negative", f->name);
                return -1;
        }
        if (f->limit == LIMIT_MEMORY && number < floor) {
                failure_set(why, 400, "INVALID_ARGUMENT", "%s must be at least %" PRId64, f->name,
                            limit_table[f->limit].floor);
                return -1;
        }
        *value = (int64_t)(number * (double)f->unit);
        if (*value < limit_table[f->limit].floor)
                *value = limit_table[f->limit].floor;
        return 1;
}

static void set(struct submission *s, bool is_compile, enum limit limit, int64_t value)
{
        if (is_compile) {
                s->has_compile_limits = s->has_compile_limit[limit] = true;
                s->compile_limit[limit] = value;
        } else {
                s->has_limit[limit] = true;
                s->limit[limit] = value;
        }
}

/* The default of a field. If the client asked for a longer timeout, the CPU time is as long. Otherwise the longer
 * timeout would be of no use. */
static int64_t default_of(const struct field *f, int64_t asked_wall, int64_t ceiling)
{
        const int64_t value = f->limit == LIMIT_CPU && asked_wall > f->standard ? asked_wall : f->standard;

        return value < ceiling ? value : ceiling;
}

int piston_limits_read(struct submission *s, const json_t *body, const hatchery_v1_LanguageStatus *language,
                       bool is_compiled, struct failure *why)
{
        int64_t asked_wall[2] = { 0, 0 };

        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
                const struct field *f = &fields[i];
                const int64_t ceiling = ceiling_of(language, f->limit);
                int64_t value = 0;
                const int r = read_field(f, body, ceiling, &value, why);
                if (r < 0)
                        return -1;
                if (r > 0 && f->limit == LIMIT_WALL)
                        asked_wall[f->is_compile] = value;
                if (r == 0)
                        value = default_of(f, asked_wall[f->is_compile], ceiling);
                if (value > 0 && (is_compiled || !f->is_compile))
                        set(s, f->is_compile, f->limit, value);
        }
        return 0;
}
