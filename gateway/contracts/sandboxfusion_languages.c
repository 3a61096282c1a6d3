/* The table of languages: see sandboxfusion_languages.h. */
#include "gateway/contracts/sandboxfusion_languages.h"

#include <string.h>

static const struct fusion_language languages[] = {
        { "R", "r", "main.R", "program.R", FUSION_COMPILE_NONE },
        { "bash", "bash", "main.sh", "program.sh", FUSION_COMPILE_NONE },
        { "c", "c", "main.c", "program.c", FUSION_COMPILE_STAGE },
        { "cpp", "cpp", "main.cpp", "program.cpp", FUSION_COMPILE_STAGE },
        { "go", "go", "main.go", "program.go", FUSION_COMPILE_STAGE },
        { "go_test", "go-test", "main_test.go", "program_test.go", FUSION_COMPILE_NONE },
        { "java", "java", "Main.java", NULL, FUSION_COMPILE_INSIDE },
        { "js", "javascript", "main.js", "program.js", FUSION_COMPILE_NONE },
        { "lua", "lua", "main.lua", "program.lua", FUSION_COMPILE_NONE },
        { "nodejs", "javascript", "main.js", "program.js", FUSION_COMPILE_NONE },
        { "perl", "perl", "main.pl", "program.pl", FUSION_COMPILE_NONE },
        { "php", "php", "main.php", "program.php", FUSION_COMPILE_NONE },
        { "pytest", "pytest", "test_main.py", "test_program.py", FUSION_COMPILE_NONE },
        { "python", "python", "main.py", "program.py", FUSION_COMPILE_NONE },
        { "ruby", "ruby", "main.rb", "program.rb", FUSION_COMPILE_NONE },
        { "rust", "rust", "main.rs", "program.rs", FUSION_COMPILE_STAGE },
        { "sql", "sqlite", "main.sql", "program.sql", FUSION_COMPILE_NONE },
        { "ts", "typescript", "main.ts", "program.ts", FUSION_COMPILE_STAGE },
        { "typescript", "typescript", "main.ts", "program.ts", FUSION_COMPILE_STAGE },
};

static const struct fusion_language other = { 0 };

static bool is(struct span name, const char *text)
{
        return name.len == strlen(text) && memcmp(name.data, text, name.len) == 0;
}

static bool holds(struct span text, const char *word)
{
        return text.len > 0 && memmem(text.data, text.len, word, strlen(word)) != NULL;
}

const struct fusion_language *fusion_language_find(struct span theirs)
{
        for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
                if (is(theirs, languages[i].theirs))
                        return &languages[i];
        return &other;
}

const char *fusion_language_opening(const struct fusion_language *language, struct span code)
{
        bool is_php = language->ours && strcmp(language->ours, "php") == 0;

        return is_php && !holds(code, "<?php") ? "<?php " : "";
}

bool fusion_language_variable(const struct fusion_language *language, struct span code, const char **name,
                              const char **value)
{
        if (language->compile != FUSION_COMPILE_INSIDE || !holds(code, "assert"))
                return false;
        *name = "JDK_JAVA_OPTIONS";
        *value = "-ea";
        return true;
}
