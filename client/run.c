/* `hatchery run`: sends the program, follows the run to its end, and reports on the result. */
#include "client/run.h"

#include "client/consult.h"
#include "client/json.h"
#include "client/live.h"
#include "client/outdir.h"
#include "client/outflow.h"
#include "client/program.h"
#include "client/refuse.h"
#include "client/report.h"
#include "client/terminal.h"
#include "client/text.h"
#include "client/way.h"
#include "proto/base/own.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool are_one_file(int a, int b)
{
        struct stat x, y;
        return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Our own messages begin on a fresh line. If the program did not end its last line, this ends it: on standard error, or
 * on standard output if both go to one terminal, pipe or file. */
static void end_line(const struct outflow *out)
{
        enum outflow_stream stream = are_one_file(STDOUT_FILENO, STDERR_FILENO) ? out->last_stream : OUTFLOW_ERR;
        if (out->to[stream].last_byte != '\n')
                fputc('\n', stderr);
}

/* Prints the command's own lines about a run. */
struct voice {
        const struct outflow *out;
        bool speaks; /* the first line has been printed */
};

__attribute__((format(printf, 2, 3))) static void say(struct voice *v, const char *fmt, ...)
{
        char line[REPORT_SIZE];
        va_list args;

        if (!v->speaks)
                end_line(v->out);
        v->speaks = true;
        va_start(args, fmt);
        vsnprintf(line, sizeof line, fmt, args);
        va_end(args);
        text_say("%s", line);
}

/* Prints a line and returns false if some of the output could not be written. */
static bool check_output(struct voice *v)
{
        static const char *const names[] = { [OUTFLOW_OUT] = "standard output", [OUTFLOW_ERR] = "standard error" };
        struct err e = { 0 };
        bool complete = true;
        for (int i = 0; i < OUTFLOW_STREAMS; i++) {
                if (v->out->to[i].error == 0)
                        continue;
                err_set(&e, v->out->to[i].error, "write to %s", names[i]);
                say(v, "%s", e.text);
                complete = false;
        }
        return complete;
}

/* Writes all files; prints a line for each that can't be written. False if there was such a file. */
static bool write_files(struct voice *v, int dir, const struct answer *a)
{
        struct err e = { 0 };
        bool complete = true;
        for (size_t i = 0; i < a->n_files; i++) {
                if (outdir_write(dir, &a->files[i], &e) == 0)
                        continue;
                say(v, "%s", e.text);
                complete = false;
        }
        return complete;
}

/* One line for each thing that the command line asks for and the result lacks. */
static void say_what_is_missing(struct voice *v, const struct submission *x, const struct live_end *end)
{
        const struct answer *a = &end->answer.answer;
        const hatchery_v1_Result *result = &a->m.answer.result;
        char sentence[REPORT_SIZE];

        for (unsigned i = 0; i < REPORT_STREAMS; i++)
                if (report_cut(sentence, i, a, end->streamed))
                        say(v, "%s", sentence);
        if (result->files_incomplete)
                say(v, "files are missing: %s",
                    result->files_note[0] ? result->files_note : "the server does not say why");
        for (size_t i = 0; i < x->n_globs; i++)
                if (report_unmatched(sentence, x, i, a))
                        say(v, "%s", sentence);
}

/* dir is the output directory; -1: there is none. */
static int deliver(const struct options *o, int dir, const struct submission *x, const struct live_end *end,
                   const struct outflow *out)
{
        const struct answer *a = &end->answer.answer;
        const hatchery_v1_Result *result = &a->m.answer.result;
        int code = report_exit_code(result);
        char text[REPORT_SIZE];
        struct voice v = { out, o->json };

        struct err e = { 0 };
        if (o->json && json_print(json_of_result(a), &e) < 0) {
                say(&v, "%s", e.text);
                code = EXIT_REFUSED;
        }
        if (!check_output(&v))
                code = EXIT_REFUSED;
        if (dir >= 0 && !write_files(&v, dir, a))
                code = EXIT_REFUSED;
        if (!o->json)
                say_what_is_missing(&v, x, end);
        if (!o->json && report_sentence(text, x, result))
                say(&v, "%s", text);
        if (!o->json && report_denied(text, x, result))
                say(&v, "%s", text);
        if (o->stats) {
                report_stats(text, result);
                say(&v, "%s", text);
        }
        return code;
}

/* Says why there is no result. */
static int explain(const struct options *o, const struct live_end *end, const struct outflow *out)
{
        if (!o->json)
                end_line(out);
        if (end->has_answer)
                return refuse_answer(o->json, &end->answer.answer);
        if (end->is_refused)
                return refuse_error(o->json, end->code, end->why.text, end->retry_after_ms);
        return refuse_connection(o->json, &end->why);
}

static bool is_cancelled(const struct live_end *end)
{
        const hatchery_v1_ServerMessage *m = &end->answer.answer.m;
        if (!end->has_answer)
                return end->why.code == ECANCELED;
        return m->which_answer == hatchery_v1_ServerMessage_error_tag &&
               m->answer.error.code == hatchery_v1_Error_Code_CANCELLED;
}

/* The exit code, or -N: see run.h. */
static int conclude(const struct options *o, int dir, const struct submission *x, const struct live_end *end,
                    const struct outflow *out)
{
        int code = EXIT_INTERRUPTED;

        if (end->signal)
                return -end->signal;
        if (end->has_answer && end->answer.answer.m.which_answer == hatchery_v1_ServerMessage_result_tag)
                code = deliver(o, dir, x, end, out);
        else if (!end->interrupted || !is_cancelled(end) || o->json)
                code = explain(o, end, out);
        else
                text_say("cancelled before it ran");
        /* When a person presses Ctrl-C, a shell stops its script only if the command also died of SIGINT. */
        return end->interrupted && (code == EXIT_INTERRUPTED || is_cancelled(end)) ? -SIGINT : code;
}

/* terminal: ours, or NULL. */
static int ask(const struct options *o, struct program *p, int dir, struct terminal *terminal)
{
        struct err e = { 0 };
        struct way way = { 0 };
        struct outflow out;
        struct live_end end;

        if (way_open(&way, o, &e) < 0)
                return refuse_connection(o->json, &e);
        if (consult(&way, p, o, &e) < 0) {
                way_close(&way);
                return refuse_connection(o->json, &e);
        }
        if (terminal)
                p->request.execute.terminal = terminal_size(terminal);
        outflow_init(&out, STDOUT_FILENO, STDERR_FILENO);
        live_run(&end, way.client, &p->request, o, &out, terminal);
        way_close(&way);
        int code = conclude(o, dir, &p->request.execute, &end, &out);
        hatchery_answer_fini(&end.answer);
        outflow_fini(&out);
        return code;
}

static int use_terminal(struct terminal *t, struct err *e)
{
        if (!isatty(STDIN_FILENO))
                return err_say(e, EINVAL,
                               "-t needs a terminal, and standard input is none: leave it out, or use -i alone to pass "
                               "standard input to the program");
        return terminal_init(t, STDIN_FILENO, e);
}

int run(const struct options *o)
{
        struct err e = { 0 };
        struct program p;
        struct terminal terminal = { .guard.channel = -1 };
        OWN_FD int dir = -1;

        /* Opens the output directory before the run: without a place for its files the program should not run. */
        int r = program_init(&p, o, &e);
        if (r == 0 && o->out_dir)
                r = dir = outdir_open(o->out_dir, &e);
        if (r >= 0 && o->terminal)
                r = use_terminal(&terminal, &e);
        int code = r < 0 ? refuse_input(o->json, &e) : ask(o, &p, dir, o->terminal ? &terminal : NULL);

        terminal_fini(&terminal);
        program_fini(&p);
        return code;
}
