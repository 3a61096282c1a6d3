/* Command lines: see options.h. The limits stand in the table of proto/base/limit.h, all other options in the table
 * here. getopt_long returns a number for each option. For a limit, it is OPTION_LIMIT or OPTION_COMPILE_LIMIT plus the
 * limit's row. For another option, it is the letter; without a letter, it is OPTION_LONG plus the row. */
#include "client/options.h"

#include "client/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
        OPTION_LONG = 256,
        OPTION_LIMIT = 512,
        OPTION_COMPILE_LIMIT = 768,
        FOR_ALL = COMMAND_RUN | COMMAND_PING | COMMAND_STATUS | COMMAND_LANGUAGES
};

enum kind { KIND_FLAG, KIND_TEXT, KIND_WORD, KIND_PAIR, KIND_TIME, KIND_COUNT };

struct row {
        const char *name;
        char letter; /* 0: none */
        enum kind kind;
        size_t offset; /* of the member of struct options */
        unsigned commands;
        const char *argument; /* the argument's name in --help */
        const char *help;
};

#define MEMBER(name) offsetof(struct options, name)

static const struct row table[] = {
        { "language", 'l', KIND_TEXT, MEMBER(language), COMMAND_RUN, "LANG",
          "the program's language (default: by the file's #! line or ending; with -e, python)" },
        { "language", 'l', KIND_TEXT, MEMBER(language), COMMAND_STATUS, "LANG",
          "every figure of one language, and the time that its runs spent in each stage" },
        { "execute", 'e', KIND_TEXT, MEMBER(code), COMMAND_RUN, "CODE", "the program itself; may be empty" },
        { "entry", 0, KIND_TEXT, MEMBER(entry), COMMAND_RUN, "NAME", "the file to start (default: the first FILE)" },
        { "file", 0, KIND_PAIR, MEMBER(files), COMMAND_RUN, "NAME=PATH",
          "send the file PATH along, as NAME in the work directory; repeatable" },
        { "stdin", 0, KIND_TEXT, MEMBER(standard_input), COMMAND_RUN, "FILE",
          "the program's standard input, - for this command's own (default: empty)" },
        { "interactive", 'i', KIND_FLAG, MEMBER(interactive), COMMAND_RUN, NULL,
          "pass standard input to the program while it runs" },
        { "tty", 't', KIND_FLAG, MEMBER(terminal), COMMAND_RUN, NULL,
          "give the program a terminal, this one; without a program, the language's prompt" },
        { "interpreter-arg", 0, KIND_WORD, MEMBER(interpreter_args), COMMAND_RUN, "WORD",
          "one more word for the interpreter, before the program's name; repeatable" },
        { "interpreter", 0, KIND_TEXT, MEMBER(interpreter), COMMAND_RUN, "PATH",
          "the interpreter to start in the sandbox instead of the language's own" },
        { "env", 0, KIND_PAIR, MEMBER(env), COMMAND_RUN, "NAME=VALUE",
          "set a variable of the environment; repeatable" },
        { "deadline", 0, KIND_TIME, MEMBER(deadline_us), COMMAND_RUN, "TIME",
          "how long to wait for the answer, the server's queue included" },
        { "priority", 0, KIND_COUNT, MEMBER(priority), COMMAND_RUN, "N",
          "0 (default) to 7: start this before one's own waiting requests of lower N" },
        { "merge-stderr", 0, KIND_FLAG, MEMBER(merge_stderr), COMMAND_RUN, NULL,
          "standard error goes to where standard output goes" },
        { "truncate", 0, KIND_FLAG, MEMBER(truncate), COMMAND_RUN, NULL,
          "at the output limit, drop the rest instead of killing the program" },
        { "echo", 0, KIND_FLAG, MEMBER(echo), COMMAND_RUN, NULL,
          "like an interactive session, print the value of a last bare expression" },
        { "compile-flag", 0, KIND_WORD, MEMBER(compile_flags), COMMAND_RUN, "FLAG",
          "one more flag for the compiler, of those that `hatchery languages -v` shows; repeatable" },
        { "unbuffered", 0, KIND_FLAG, MEMBER(unbuffered), COMMAND_RUN, NULL,
          "what the program prints waits in no buffer (default on a terminal)" },
        { "buffered", 0, KIND_FLAG, MEMBER(buffered), COMMAND_RUN, NULL,
          "the program buffers as its language does (default elsewhere)" },
        { "collect", 0, KIND_WORD, MEMBER(globs), COMMAND_RUN, "GLOB",
          "bring back files of the work directory that match and that the run made or changed; repeatable" },
        { "collect-all", 0, KIND_FLAG, MEMBER(collect_all), COMMAND_RUN, NULL,
          "with --collect: also those that were sent and are as they were" },
        { "out", 0, KIND_TEXT, MEMBER(out_dir), COMMAND_RUN, "DIR", "write the files brought back below DIR" },
        { "client", 0, KIND_TEXT, MEMBER(client), COMMAND_RUN, "NAME", "the user for whom the program is run" },
        { "compress", 0, KIND_FLAG, MEMBER(compress), COMMAND_RUN, NULL,
          "compress large requests, and let the server compress its answers" },
        { "stats", 0, KIND_FLAG, MEMBER(stats), COMMAND_RUN, NULL,
          "print one more line on standard error: how the run ended, and what it used" },
        { "addr", 0, KIND_TEXT, MEMBER(address), FOR_ALL, "ADDR",
          "HOST:PORT or unix:PATH (default: $HATCHERY_ADDR, else 127.0.0.1:7070)" },
        { "wait", 0, KIND_TIME, MEMBER(wait_us), FOR_ALL, "TIME",
          "keep trying for this time to reach a server that does not listen yet (default: one attempt)" },
        { "json", 0, KIND_FLAG, MEMBER(json), FOR_ALL, NULL, "print one JSON object instead" },
        { "verbose", 'v', KIND_FLAG, MEMBER(verbose), COMMAND_LANGUAGES, NULL,
          "also show how files are recognised, the preloaded modules, and the flags of compilers" },
        { "help", 'h', KIND_FLAG, MEMBER(help), FOR_ALL, NULL, "print this text" },
};

enum { TABLE_ROWS = sizeof table / sizeof table[0], LETTERS_SIZE = 2 * TABLE_ROWS + 4 };

static int number_of(size_t row)
{
        return table[row].letter ? table[row].letter : OPTION_LONG + (int)row;
}

/* Fills the tables of getopt_long. The leading '-' of letters makes it return other words in their order, so that words
 * before a "--" (files) can be distinguished from those after it (arguments). */
static void describe(enum command command, struct option *longs, char *letters)
{
        *letters++ = '-';
        *letters++ = ':';
        for (size_t i = 0; i < TABLE_ROWS; i++) {
                if (!(table[i].commands & command))
                        continue;
                int takes = table[i].argument ? required_argument : no_argument;
                *longs++ = (struct option){ table[i].name, takes, NULL, number_of(i) };
                if (!table[i].letter)
                        continue;
                *letters++ = table[i].letter;
                if (takes == required_argument)
                        *letters++ = ':';
        }
        *letters = '\0';
        for (int i = 0; i < LIMIT_COUNT && command == COMMAND_RUN; i++) {
                const struct limit_row *l = &limit_table[i];
                *longs++ = (struct option){ l->option, required_argument, NULL, OPTION_LIMIT + i };
                *longs++ = (struct option){ l->compile_option, required_argument, NULL, OPTION_COMPILE_LIMIT + i };
        }
        *longs = (struct option){ 0 };
}

static int parse_number(const char *option, enum limit_unit unit, const char *text, int64_t *value, struct err *e)
{
        static const char *const forms[] = {
                [LIMIT_UNIT_US] = "a time, as in 500ms, 1.5s or 2min",
                [LIMIT_UNIT_BYTES] = "a size, as in 65536, 512K or 64MiB",
                [LIMIT_UNIT_COUNT] = "a whole number",
        };
        if (limit_parse(unit, text, value) < 0)
                return err_say(e, EINVAL, "--%s takes %s, not '%s'", option, forms[unit], text);
        return 0;
}

static int store(struct options *o, const struct row *row, const char *value, struct err *e)
{
        void *member = (char *)o + row->offset;
        const char **text = member;
        struct words *words = member;

        switch (row->kind) {
        case KIND_FLAG:
                *(bool *)member = true;
                return 0;
        case KIND_TEXT:
                if (row->letter == 'e' && *text)
                        return err_say(e, EINVAL, "-e was given twice: there is one program");
                *text = value;
                return 0;
        case KIND_PAIR:
                if (value[0] == '=' || !strchr(value, '='))
                        return err_say(e, EINVAL, "--%s takes %s, not '%s'", row->name, row->argument, value);
                words->items[words->n++] = value;
                return 0;
        case KIND_WORD:
                words->items[words->n++] = value;
                return 0;
        case KIND_TIME:
                return parse_number(row->name, LIMIT_UNIT_US, value, member, e);
        case KIND_COUNT:
                if (parse_number(row->name, LIMIT_UNIT_COUNT, value, member, e) < 0)
                        return -EINVAL;
                if (*(int64_t *)member > UINT32_MAX) /* the server checks smaller numbers */
                        return err_say(e, EINVAL, "--%s is too large: %s", row->name, value);
                return 0;
        }
        return err_say(e, EINVAL, "option --%s is of no known kind", row->name);
}

static int apply(struct options *o, int number, const char *value, struct err *e)
{
        if (number >= OPTION_COMPILE_LIMIT) {
                const struct limit_row *l = &limit_table[number - OPTION_COMPILE_LIMIT];
                o->has_compile_limit[l - limit_table] = true;
                return parse_number(l->compile_option, l->unit, value, &o->compile_limit[l - limit_table], e);
        }
        if (number >= OPTION_LIMIT) {
                int i = number - OPTION_LIMIT;
                o->has_limit[i] = true;
                return parse_number(limit_table[i].option, limit_table[i].unit, value, &o->limit[i], e);
        }
        for (size_t i = 0; i < TABLE_ROWS; i++)
                if (number_of(i) == number)
                        return store(o, &table[i], value, e);
        return err_say(e, EINVAL, "option %d is not in the table", number);
}

/* Checks whether the options of run make sense together; the server checks their values. */
static int check_run(const struct options *o, struct err *e)
{
        if (o->code && o->programs.n > 0)
                return err_say(e, EINVAL,
                               "-e CODE and the file '%s' are two programs; send further files with --file, and put "
                               "arguments after --",
                               o->programs.items[0]);
        if (!o->code && o->programs.n == 0 && o->files.n == 0 && o->args.n == 0 && o->interpreter_args.n == 0 &&
            !o->terminal)
                return err_say(e, EINVAL, "no program: give -e CODE or a FILE (- reads it from standard input)");

        const bool is_live = o->interactive || o->terminal;
        if (is_live && o->standard_input)
                return err_say(e, EINVAL, "--stdin and -%c exclude each other: both say what the program reads",
                               o->terminal ? 't' : 'i');
        if (o->terminal && o->json)
                return err_say(e, EINVAL, "-t and --json exclude each other: a terminal is watched as it goes");

        unsigned from_stdin = is_live || (o->standard_input && strcmp(o->standard_input, "-") == 0);
        for (size_t i = 0; i < o->programs.n; i++)
                from_stdin += o->programs.items[i] && strcmp(o->programs.items[i], "-") == 0;
        if (from_stdin > 1)
                return err_say(e, EINVAL, "standard input can be read once, but %u options or files want it",
                               from_stdin);

        if (o->unbuffered && o->buffered)
                return err_say(e, EINVAL, "--unbuffered and --buffered exclude each other: give one of them");
        if (o->globs.n > 0 && !o->out_dir && !o->json)
                return err_say(e, EINVAL, "--collect needs --out DIR, where the files go (or --json)");
        if (o->collect_all && o->globs.n == 0)
                return err_say(e, EINVAL, "--collect-all needs --collect GLOB, which says what to bring back");
        if (o->out_dir && o->globs.n == 0)
                return err_say(e, EINVAL, "--out needs --collect GLOB, which says what to bring back");
        return 0;
}

/* Every list can hold every word of the command line. */
static int make_lists(struct options *o, size_t n, struct err *e)
{
        struct words *lists[] = { &o->programs,         &o->files, &o->env, &o->globs, &o->compile_flags,
                                  &o->interpreter_args, &o->args };
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
                lists[i]->items = calloc(n, sizeof(char *));
                if (!lists[i]->items)
                        return err_set(e, ENOMEM, "hold the command line");
        }
        return 0;
}

int options_parse(struct options *o, enum command command, int argc, char **argv, struct err *e)
{
        struct option longs[TABLE_ROWS + 2 * LIMIT_COUNT + 1];
        char letters[LETTERS_SIZE];
        describe(command, longs, letters);

        memset(o, 0, sizeof *o);
        int r = make_lists(o, (size_t)argc + 1, e);

        optind = 0; /* glibc: start afresh */
        opterr = 0;
        while (r == 0) {
                int number = getopt_long(argc, argv, letters, longs, NULL);
                if (number == -1)
                        break;
                const char *word = argv[optind - 1];
                if (number == ':')
                        r = err_say(e, EINVAL, "option %s needs a value", word);
                else if (number == '?')
                        r = err_say(e, EINVAL, "option %s is not known, not unique, or takes no value", word);
                else if (number == 1)
                        o->programs.items[o->programs.n++] = optarg;
                else
                        r = apply(o, number, optarg, e);
        }
        if (r < 0 || o->help)
                return r;

        while (optind < argc)
                o->args.items[o->args.n++] = argv[optind++];
        if (command == COMMAND_RUN)
                return check_run(o, e);
        if (o->programs.n + o->args.n > 0)
                return err_say(e, EINVAL, "%s takes options only, not '%s'", argv[0],
                               o->programs.n > 0 ? o->programs.items[0] : o->args.items[0]);
        return 0;
}

void options_fini(struct options *o)
{
        struct words *lists[] = { &o->programs,         &o->files, &o->env, &o->globs, &o->compile_flags,
                                  &o->interpreter_args, &o->args };
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
                free(lists[i]->items);
                *lists[i] = (struct words){ 0 };
        }
}

static void help_line(FILE *to, char letter, const char *name, const char *argument, const char *help)
{
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", letter ? '-' : ' ', letter ? letter : ' ', letter ? "," : " ",
                 name, argument ? " " : "", argument ? argument : "");
        fprintf(to, "  %-26s %s\n", left, help);
}

static void help_limits(FILE *to)
{
        static const char *const arguments[] = {
                [LIMIT_UNIT_US] = "TIME", [LIMIT_UNIT_BYTES] = "SIZE", [LIMIT_UNIT_COUNT] = "N"
        };
        fprintf(to,
                "\nLimits of the run; a value above the server's ceiling is refused. In brackets the built-in default\n"
                "and ceiling, which the server's configuration may have changed:\n");
        for (int i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *l = &limit_table[i];
                char standard[TEXT_SIZE], ceiling[TEXT_SIZE], help[160];
                if (l->unit == LIMIT_UNIT_US) {
                        text_us(standard, (uint64_t)l->standard);
                        text_us(ceiling, (uint64_t)l->ceiling);
                } else if (l->unit == LIMIT_UNIT_BYTES) {
                        text_bytes(standard, (uint64_t)l->standard);
                        text_bytes(ceiling, (uint64_t)l->ceiling);
                } else {
                        snprintf(standard, sizeof standard, "%lld", (long long)l->standard);
                        snprintf(ceiling, sizeof ceiling, "%lld", (long long)l->ceiling);
                }
                snprintf(help, sizeof help, "%s [%s, at most %s]", l->help, standard, ceiling);
                help_line(to, 0, l->option, arguments[l->unit], help);
        }
        fprintf(to,
                "\nWith compile- in front, as in --compile-wall, each limits the stage that compiles the program.\n");
        fprintf(to, "\nTIME is a number with us, ms, s, m, min or h, as in 1.5s. Without a unit, it means seconds.\n"
                    "SIZE is a number with K, M or G, as in 1.5G. Without a unit, it means bytes.\n"
                    "MB and MiB mean the same as M. Each unit is a power of 1024.\n");
}

void options_help(enum command command, FILE *to)
{
        if (command == COMMAND_RUN)
                fprintf(to,
                        "Usage: hatchery run [OPTION...] (-e CODE | FILE...) [-- ARG...]\n"
                        "       hatchery run [OPTION...] -l LANG -- ARG...\n"
                        "       hatchery run [OPTION...] -it -l LANG\n"
                        "Run a program in a sandbox of its own. With several FILEs the first is started; - reads the\n"
                        "program from standard input. Each ARG goes to the program, and to the interpreter where there\n"
                        "is no program, as in: hatchery run -l python -- -c 'print(1)'. The third form starts the\n"
                        "language's prompt on this terminal.\n\n");
        else if (command == COMMAND_PING)
                fprintf(to, "Usage: hatchery ping [OPTION...]\n"
                            "Measure how long a short question to the server and its answer take.\n\n");
        else if (command == COMMAND_LANGUAGES)
                fprintf(to,
                        "Usage: hatchery languages [OPTION...]\n"
                        "Show the server's languages, their versions, and how many sandboxes each keeps ready.\n\n");
        else
                fprintf(to, "Usage: hatchery status [OPTION...]\n"
                            "Show each language's state, sandboxes, runs and failures.\n\n");

        for (size_t i = 0; i < TABLE_ROWS; i++)
                if (table[i].commands & command)
                        help_line(to, table[i].letter, table[i].name, table[i].argument, table[i].help);
        if (command != COMMAND_RUN)
                return;
        help_limits(to);
        fprintf(to,
                "\nThe exit code is the program's own, or 128+N after signal N. Otherwise it is 124 at the time or\n"
                "CPU limit, 137 at the memory limit, 143 at the output limit, 130 if the run was cancelled, 125\n"
                "if it was refused or the server can't be reached, and 2 for a mistake on the command line.\n"
                "Ctrl-C goes to the program. A second Ctrl-C within two seconds cancels the run.\n");
}
