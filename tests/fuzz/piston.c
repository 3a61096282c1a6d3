/* Fuzzes a body of Piston's POST /execute, or a message of its WebSocket: gateway/json.c,
 * gateway/contracts/piston_request.c, piston_limits.c, piston_runtimes.c and semver.c. Input: a byte that chooses
 * between the two, then the text. An accepted request must keep the pool's bounds, and a refusal must have a sentence.
 */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "proto/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static hatchery_v1_LanguageStatus languages[] = {
        { .name = "python",
          .version = "3.11.2",
          .aliases = { "python3", "py" },
          .aliases_count = 2,
          .extensions = { "py" },
          .extensions_count = 1 },
        { .name = "cpp",
          .version = "12.2.0",
          .kind = hatchery_v1_LanguageStatus_Kind_COMPILED,
          .extensions = { "cpp", "cc" },
          .extensions_count = 2 },
        { .name = "bc", .version = "1.07.1" },
};

static const struct hatchery_answer status = { .answer = { .languages = languages,
                                                           .n_languages = sizeof languages / sizeof *languages } };

/* A name that stays in the work directory, in the pool's form. */
static bool is_name(struct span name)
{
        char *text = fuzz_text(name.data, name.len), *save = NULL;
        bool good = name.len > 0 && name.len <= WIRE_MAX_NAME && strlen(text) == name.len && text[0] != '/' &&
                    text[name.len - 1] != '/' && !strstr(text, "//");

        for (char *part = strtok_r(text, "/", &save); part; part = strtok_r(NULL, "/", &save))
                good = good && strcmp(part, ".") != 0 && strcmp(part, "..") != 0;
        free(text);
        return good;
}

static void check_limits(const bool has[LIMIT_COUNT], const int64_t value[LIMIT_COUNT])
{
        for (int i = 0; i < LIMIT_COUNT; i++)
                FUZZ_CHECK(!has[i] || (value[i] >= limit_table[i].floor && value[i] <= limit_table[i].ceiling));
}

static void check_submission(const struct submission *s, bool is_interactive)
{
        bool has_entry = false;

        FUZZ_CHECK(s->n_files > 0 && s->n_files <= WIRE_MAX_FILES && s->n_args <= WIRE_MAX_ARGS);
        for (size_t i = 0; i < s->n_files; i++) {
                FUZZ_CHECK(is_name(s->files[i].name));
                has_entry = has_entry || s->files[i].name.data == s->entry.data;
        }
        FUZZ_CHECK(has_entry);
        for (size_t i = 0; i < s->n_args; i++)
                FUZZ_CHECK(!memchr(s->args[i].data, 0, s->args[i].len) && s->args[i].len <= WIRE_MAX_STRING);
        FUZZ_CHECK(s->has_limit[LIMIT_WALL] && s->has_limit[LIMIT_CPU]);
        check_limits(s->has_limit, s->limit);
        check_limits(s->has_compile_limit, s->compile_limit);
        if (is_interactive)
                FUZZ_CHECK(s->live_input && s->standard_input.len == 0);
        else
                FUZZ_CHECK(s->standard_input.len > 0 && s->standard_input.data[s->standard_input.len - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input in = { data, size };
        const bool is_interactive = fuzz_byte(&in) & 1;
        uint8_t *copy = fuzz_copy(in.data, in.len);
        struct json_fault fault = { "", 0 };
        struct failure why = { 0 };
        struct piston_job j;

        json_t *body = json_read((struct span){ copy, in.len }, &fault);
        if (!body) {
                FUZZ_CHECK(fault.text[0] != 0);
                free(copy);
                return 0;
        }
        if (piston_job_read(&j, body, &status, is_interactive, &why) == 0)
                check_submission(&j.request.execute, is_interactive);
        else
                FUZZ_CHECK(why.status == 400 && why.message[0] != 0);
        piston_job_fini(&j);
        json_decref(body);
        free(copy);
        return 0;
}
