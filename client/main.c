/* The `hatchery` command: picks the command that its command line names, and exits with that command's exit code. */
#include "client/options.h"
#include "client/report.h"
#include "client/run.h"
#include "client/signals.h"
#include "client/status.h"
#include "client/text.h"
#include "proto/wire/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verb {
        const char *name;
        enum command command;
        int (*act)(const struct options *o); /* the exit code, or -N: end by signal N */
        const char *help;
};

static const struct verb verbs[] = {
        { "run", COMMAND_RUN, run, "run a program in a sandbox of its own" },
        { "ping", COMMAND_PING, status_ping, "measure how long a question to the server and its answer take" },
        { "languages", COMMAND_LANGUAGES, status_languages,
          "show the server's languages, and how many sandboxes each keeps ready" },
        { "status", COMMAND_STATUS, status_show, "show each language's state, sandboxes, runs and failures" },
};

enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

static void help(FILE *to)
{
        fprintf(to, "Usage: hatchery COMMAND [OPTION...]\n"
                    "Run untrusted programs, each in a sandbox that was ready before the request arrived.\n\n");
        for (size_t i = 0; i < N_VERBS; i++)
                fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
        fprintf(to, "  %-10s %s\n", "help", "print this text, or that of a command");
        fprintf(to, "\n  hatchery help COMMAND says more about one; hatchery --version prints the version.\n"
                    "  Try: hatchery run -e 'print(6*7)'\n");
}

static int act(const struct verb *verb, int argc, char **argv)
{
        struct options o;
        struct err e = { 0 };
        int code;
        if (options_parse(&o, verb->command, argc, argv, &e) < 0) {
                text_say("%s; see hatchery %s --help", e.text, verb->name);
                code = EXIT_USAGE;
        } else if (o.help) {
                options_help(verb->command, stdout);
                code = fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
        } else {
                code = verb->act(&o);
        }
        options_fini(&o);
        if (code >= 0)
                return code;
        signals_die(-code);
        return EXIT_SIGNAL - code;
}

static int help_on(const char *word)
{
        const struct verb *verb = NULL;
        for (size_t i = 0; i < N_VERBS && word; i++)
                if (strcmp(word, verbs[i].name) == 0)
                        verb = &verbs[i];
        if (word && !verb) {
                text_say("'%s' is no command; see hatchery help", word);
                return EXIT_USAGE;
        }
        if (verb)
                options_help(verb->command, stdout);
        else
                help(stdout);
        return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
}

/* This process may begin without descriptor 0, 1 or 2. The next file or socket that it opens would take that number,
 * and text for standard output would go there. So a stand-in takes the number: reading from it gives the end of file,
 * and writing to it fails. */
static void fill_gaps(void)
{
        int fd;
        do
                fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

int main(int argc, char **argv)
{
        fill_gaps();
        const char *word = argc > 1 ? argv[1] : "";
        for (size_t i = 0; i < N_VERBS; i++)
                if (strcmp(word, verbs[i].name) == 0)
                        return act(&verbs[i], argc - 1, argv + 1);

        if (strcmp(word, "help") == 0)
                return help_on(argc > 2 ? argv[2] : NULL);
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
                return help_on(NULL);
        if (strcmp(word, "--version") == 0) {
                printf("hatchery %s\n", HATCHERY_VERSION);
                return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
        }
        if (argc > 1)
                text_say("'%s' is no command; see hatchery help", word);
        else
                help(stderr);
        return EXIT_USAGE;
}
