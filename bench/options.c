/* Parsing the command line: see options.h. */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
        OPTION_HELP = 256,
        OPTION_QUICK,
        OPTION_PEERS,
        OPTION_PEER,
        OPTION_SWEEP,
        OPTION_HTTP,
        OPTION_LANGUAGES,
        OPTION_ROUNDS,
        OPTION_WINDOW,
        OPTION_RUNS,
        OPTION_JSON,
        OPTION_ADDR,
        OPTION_LISTEN,
        OPTION_ROWS,
};

enum { MAX_WINDOW_MS = 600000, MAX_RUNS = 1000000 };

static const struct option option_table[] = {
        { "help", no_argument, NULL, OPTION_HELP },
        { "quick", no_argument, NULL, OPTION_QUICK },
        { "peers", no_argument, NULL, OPTION_PEERS },
        { "sweep", no_argument, NULL, OPTION_SWEEP },
        { "http", optional_argument, NULL, OPTION_HTTP },
        { "languages", optional_argument, NULL, OPTION_LANGUAGES },
        { "rounds", required_argument, NULL, OPTION_ROUNDS },
        { "window", required_argument, NULL, OPTION_WINDOW },
        { "runs", required_argument, NULL, OPTION_RUNS },
        { "json", required_argument, NULL, OPTION_JSON },
        { "addr", required_argument, NULL, OPTION_ADDR },
        { "listen", required_argument, NULL, OPTION_LISTEN },
        { "rows", required_argument, NULL, OPTION_ROWS },
        { "peer", required_argument, NULL, OPTION_PEER },
        { NULL, 0, NULL, 0 },
};

void options_help(FILE *to)
{
        fputs("usage: hatchery-bench [OPTION]...\n"
              "\n"
              "Measures Hatchery beside a bare fork of the same initialised interpreter and a cold python3, in rounds in\n"
              "which every row has its turn, and checks every answer. Prints tables; progress goes to standard error.\n"
              "\n"
              "  --quick         3 short rounds of the rows that have a bar, in about two minutes\n"
              "  --peers         what others put around a python3, too: bubblewrap and crun\n"
              "  --peer NAME=AT  another system, too, by a program's path or a server's address: nsjail=PATH, isolate=PATH,\n"
              "                  snekbox=URL, piston=URL, go-judge=URL (docs/peers.md)\n"
              "  --sweep         1 to 1,024 connections, too\n"
              "  --http[=URL]    over HTTP, too; URL: by a server that already runs\n"
              "  --languages[=A,B,...]\n"
              "                  instead, a table of every language that is here, or of these\n"
              "  --rounds N      so many rounds (default 5)\n"
              "  --window MS     so long for each row that goes as fast as it goes (default 2500)\n"
              "  --runs N        so many for each row that is measured one at a time (default 1000)\n"
              "  --json FILE     everything that was measured, too\n"
              "  --addr ADDR     measure a server that already runs, instead of starting hatcheryd from this build\n"
              "  --listen ADDR   where the hatcheryd that is started listens (default 127.0.0.1:0, a free port)\n"
              "  --rows A,B,...  these rows alone, of:\n"
              "                 ",
              to);
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                fprintf(to, " %s", row_table[row].name);
        fputs("\n  --help\n"
              "\n"
              "Starting hatcheryd needs root. Exits with 0 if everything was measured and every answer was right.\n",
              to);
}

static int parse_number(const char *option, const char *text, long most, unsigned *out, struct err *e)
{
        char *end = NULL;
        errno = 0;
        long n = strtol(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || n < 1 || n > most)
                return err_say(e, EINVAL, "%s %s: give a number from 1 to %ld", option, text, most);
        *out = (unsigned)n;
        return 0;
}

static int parse_rows(const char *text, bool rows[ROW_COUNT], struct err *e)
{
        memset(rows, 0, ROW_COUNT * sizeof rows[0]);
        for (;;) {
                size_t len = strcspn(text, ",");
                enum row_id row = 0;
                while (row < ROW_COUNT &&
                       (strlen(row_table[row].name) != len || memcmp(row_table[row].name, text, len) != 0))
                        row++;
                if (row == ROW_COUNT)
                        return err_say(e, EINVAL, "--rows: there is no row \"%.*s\"; --help lists them", (int)len,
                                       text);
                rows[row] = true;
                if (text[len] == '\0')
                        return 0;
                text += len + 1;
        }
}

static int take(struct options *o, int id, struct err *e)
{
        switch (id) {
        case OPTION_HELP:
                o->help = true;
                return 0;
        case OPTION_QUICK:
                o->quick = true;
                return 0;
        case OPTION_PEERS:
                o->peers = true;
                return 0;
        case OPTION_PEER:
                return peers_choose(&o->peer, optarg, e);
        case OPTION_SWEEP:
                o->sweep = true;
                return 0;
        case OPTION_HTTP:
                o->http = true;
                o->http_address = optarg;
                if (optarg && strncmp(optarg, "http://", 7) != 0)
                        return err_say(e, EINVAL, "--http=%s: give the server's address, http://HOST:PORT", optarg);
                return 0;
        case OPTION_LANGUAGES:
                o->languages = true;
                o->only_those = optarg;
                return 0;
        case OPTION_ROUNDS:
                return parse_number("--rounds", optarg, RESULTS_MAX_ROUNDS, &o->rounds, e);
        case OPTION_WINDOW:
                return parse_number("--window", optarg, MAX_WINDOW_MS, &o->window_ms, e);
        case OPTION_RUNS:
                return parse_number("--runs", optarg, MAX_RUNS, &o->runs, e);
        case OPTION_JSON:
                o->json = optarg;
                return 0;
        case OPTION_ADDR:
                o->address = optarg;
                return 0;
        case OPTION_LISTEN:
                o->listen = optarg;
                return 0;
        case OPTION_ROWS:
                o->only = true;
                return parse_rows(optarg, o->rows, e);
        default:
                return err_say(e, EINVAL, "try --help"); /* getopt_long has named the unknown option */
        }
}

/* Naming a peer's row chooses that peer. */
static int choose_peers(struct options *o, struct err *e)
{
        if (o->peers)
                peers_choose_packaged(&o->peer);
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                const struct row *t = &row_table[row];
                if (t->kind != ROW_PEER || !o->rows[row] || peers_chosen(&o->peer, t->peer))
                        continue;
                int r = peers_choose(&o->peer, peer_table[t->peer].name, e);
                if (r < 0)
                        return err_wrap(e, "row %s", t->name);
        }
        return 0;
}

int options_parse(struct options *o, int argc, char *const argv[], struct err *e)
{
        *o = (struct options){ .listen = "127.0.0.1:0" };
        if (argc == 4 && strcmp(argv[1], "--forker") == 0) {
                o->forker_plugin = argv[2];
                o->forker_preload = argv[3];
                return 0;
        }
        int id, r = 0;
        while (r == 0 && (id = getopt_long(argc, argv, "", option_table, NULL)) != -1)
                r = take(o, id, e);
        if (r == 0 && optind < argc)
                r = err_say(e, EINVAL, "\"%s\" is not an option; try --help", argv[optind]);
        return r < 0 ? r : choose_peers(o, e);
}

/* The reason to leave a row out; NULL: the row is measured. */
static const char *why_not(const struct options *o, enum row_id row)
{
        const struct row *t = &row_table[row];
        if (o->only && !o->rows[row])
                return "not among --rows";
        if (o->address && t->warm > 0)
                return "needs a server of the benchmark's own, and --addr gives another";
        if (o->address && t->kind == ROW_HTTP && !o->http_address)
                return "needs --http=URL, since --addr gives a server";
        if (o->http_address && t->load == LOAD_IDLE)
                return "needs a server of the benchmark's own, and --http gives another";
        if (o->only)
                return NULL;
        if (t->kind == ROW_HTTP && !o->http)
                return "only with --http";
        if (t->when == WHEN_HTTP_FULL && o->quick)
                return "left out by --quick";
        if (t->when == WHEN_FULL && o->quick)
                return "left out by --quick";
        if (t->kind == ROW_PEER && !peers_chosen(&o->peer, t->peer))
                return peer_table[t->peer].always ? "only with --peers" : "only with --peer";
        if (t->when == WHEN_PEERS && t->kind != ROW_PEER && !o->peers)
                return "only with --peers";
        return t->when == WHEN_SWEEP && !o->sweep ? "only with --sweep" : NULL;
}

void options_choose(const struct options *o, struct results *r)
{
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                const char *why = why_not(o, row);
                r->chosen[row] = true;
                if (why)
                        results_leave_out(r, row, why);
        }
        for (enum row_id row = 0; row < ROW_COUNT;
             row++) /* a row at half the load of another needs the other's result */
                if (r->chosen[row] && row_table[row].load == LOAD_OPEN)
                        r->chosen[row_table[row].half_of] = true;
}
