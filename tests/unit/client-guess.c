/* Finding the language of a program that is sent without -l. */
#include "client/guess.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A server's list of languages, in short: "NAME EXTENSION... / INTERPRETER...". One language has not reported yet. */
static size_t list_languages(hatchery_v1_LanguageStatus *l)
{
        static const char *const rows[] = {
                "c c / c gcc",   "cpp cpp C / cpp g++", "python py / python python3",     "r R r / r rscript",
                "lua lua / lua", "fast lua / luajit",   "javascript js / javascript node"
        };
        size_t n = 0;
        for (; n < sizeof rows / sizeof rows[0]; n++) {
                char row[64], *rest = NULL;
                bool behind = false;
                snprintf(row, sizeof row, "%s", rows[n]);
                l[n] = (hatchery_v1_LanguageStatus){ .kind = hatchery_v1_LanguageStatus_Kind_FORKED };
                snprintf(l[n].name, sizeof l[n].name, "%s", strtok_r(row, " ", &rest));
                for (char *word; (word = strtok_r(NULL, " ", &rest));)
                        if (strcmp(word, "/") == 0)
                                behind = true;
                        else if (behind)
                                snprintf(l[n].interpreters[l[n].interpreters_count++], 24, "%s", word);
                        else
                                snprintf(l[n].extensions[l[n].extensions_count++], 16, "%s", word);
        }
        l[n] = (hatchery_v1_LanguageStatus){ .name = "late" };
        return n + 1;
}

static void the_server_tells_the_language_of_a_file(void **state)
{
        (void)state;
        static const struct {
                const char *name, *content, *language; /* name NULL: code without a file; language NULL: refused */
                const char *sentence;
        } rows[] = {
                { "a.py", "", "python", NULL },
                { "d.c/a.PY", "", "python", NULL },
                { "a.c", "", "c", NULL },
                { "a.C", "", "cpp", NULL },
                { "a.b.r", "", "r", NULL },
                { "a.kt", "", NULL, "no language for .kt files (a.kt)" },
                { "d/a.lua", "", NULL, "a.lua may be lua or fast" },
                { "a.lua", "#!/usr/bin/luajit -O\n", "fast", NULL },
                { "tool", "", NULL, "cannot tell the language of tool" },
                { ".py", "", NULL, "cannot tell the language of .py" },
                { "tool", "#!/bin/kotlin\nx", NULL, "no language that runs kotlin (#! line of tool)" },
                { "tool", "#!", NULL, "cannot tell" },
                { "tool", "#!  /usr/bin/python3.11 -u\r\nx", "python", NULL },
                { "tool", "#!Rscript", "r", NULL },
                { "tool", "#!/usr/bin/env node", "javascript", NULL },
                { "tool", "#!/usr/bin/env -S node --x\n", "javascript", NULL },
                { "tool", "#!/usr/bin/env -Snode --x\n", "javascript", NULL },
                { "tool", "#!/usr/bin/env -i -u HOME A=b /opt/node --x\n", "javascript", NULL },
                { "tool", "#!/usr/bin/env\nnode", NULL, "cannot tell" },
                { "a.py", "#!/usr/bin/env pypy3\n", "python", NULL },
                { "a.py", "#!/usr/bin/env node\n", "javascript", NULL },
                { "a.c", "#![no_std]\n", "c", NULL },
                { NULL, "#!/usr/bin/env node\n", "javascript", NULL },
                { NULL, "#!/bin/kotlin\n", NULL, "(#! line of the program)" },
        };
        hatchery_v1_LanguageStatus languages[16];
        struct answer a = { .languages = languages, .n_languages = list_languages(languages) };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct file_span file = { .name = span_of_text(rows[i].name ? rows[i].name : ""),
                                          .content = span_of_text(rows[i].content) };
                struct submission x = {
                        .has_code = !rows[i].name, .code = file.content, .files = &file, .n_files = rows[i].name != NULL
                };
                struct guess g;
                struct err e = { 0 };
                char language[WIRE_MAX_LANGUAGE + 1];
                assert_true(guess_read(&g, &x));

                a.m.answer.status.ready = true;
                int r = guess_find(&g, &a, language, &e);
                if (rows[i].language ? r != GUESS_FOUND || strcmp(language, rows[i].language) != 0
                                     : r != -EINVAL || !strstr(e.text, rows[i].sentence))
                        fail_msg("row %zu: %d, \"%s\", \"%s\"", i, r, r == 0 ? language : "", e.text);
                a.m.answer.status.ready = false; /* a language that still starts may be the right one */
                if (!rows[i].language && !strstr(rows[i].sentence, "may be"))
                        assert_int_equal(guess_find(&g, &a, language, &e), GUESS_NOT_YET);
        }
        struct submission code = { .has_code = true, .code = span_of_text("print(1)") };
        struct guess g;
        assert_false(guess_read(&g, &code));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_server_tells_the_language_of_a_file),
        };
        return cmocka_run_group_tests_name("client-guess", tests, NULL, NULL);
}
