/* `hatchery run`: sends the program, and gives its results to the terminal, the output directory or whoever reads JSON.
 */
#include "client/run.h"

#include "client/consult.h"
#include "client/hatchery.h"
#include "client/json.h"
#include "client/outdir.h"
#include "client/program.h"
#include "client/reach.h"
#include "client/refuse.h"
#include "client/report.h"
#include "client/text.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int print_bytes(FILE *to, const char *name, struct span s, struct err *e)
{
        if (s.len > 0 && (fwrite(s.data, 1, s.len, to) < s.len || fflush(to) != 0))
                return err_set(e, errno, "write to %s", name);
        return 0;
}

static bool are_one_file(int a, int b)
{
        struct stat x, y;
        return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Our own lines start at the start of a line, also where the program did not end its last one: on a terminal, and where
 * both streams go to one pipe or file. What was printed last, comes last here. */
static void end_line(const struct answer *a)
{
        const struct span printed[] = { a->out, a->compile_out, a->compile_err, a->err };
        for (size_t i = sizeof printed / sizeof printed[0]; i-- > 0;) {
                const struct span *last = &printed[i];
                if (last->len == 0)
                        continue;
                if (last->data[last->len - 1] != '\n' && (i > 0 || are_one_file(STDOUT_FILENO, STDERR_FILENO)))
                        fputc('\n', stderr);
                return;
        }
}

/* Prints what the program printed, or the JSON object. */
static int print_result(const struct options *o, const struct answer *a, struct err *e)
{
        if (o->json)
                return json_print(json_of_result(a), e);
        /* What the compiler says is no output of the program's, whichever stream it was said on. */
        const struct span said[] = { a->compile_out, a->compile_err, a->err };
        int result = print_bytes(stdout, "standard output", a->out, e);
        for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
                int r = print_bytes(stderr, "standard error", said[i], result < 0 ? NULL : e);
                result = result < 0 ? result : r;
        }
        return result;
}

/* One line of ours about a result. */
struct voice {
        const struct answer *a;
        bool speaks; /* it has begun a line */
};

__attribute__((format(printf, 2, 3))) static void say(struct voice *v, const char *fmt, ...)
{
        char line[REPORT_SIZE];
        va_list args;

        if (!v->speaks)
                end_line(v->a);
        v->speaks = true;
        va_start(args, fmt);
        vsnprintf(line, sizeof line, fmt, args);
        va_end(args);
        text_say("%s", line);
}

/* Writes every file that can be written; each that can't gets a line. False if there was one. */
static bool write_files(struct voice *v, int dir)
{
        struct err e = { 0 };
        bool complete = true;
        for (size_t i = 0; i < v->a->n_files; i++) {
                if (outdir_write(dir, &v->a->files[i], &e) == 0)
                        continue;
                say(v, "%s", e.text);
                complete = false;
        }
        return complete;
}

/* What a person may have expected to get, and has not got. */
static void say_what_is_missing(struct voice *v, const struct submission *x)
{
        const hatchery_v1_Result *result = &v->a->m.answer.result;
        char sentence[REPORT_SIZE];

        for (unsigned i = 0; i < REPORT_STREAMS; i++)
                if (report_cut(sentence, i, v->a))
                        say(v, "%s", sentence);
        if (result->files_incomplete)
                say(v, "files are missing: %s",
                    result->files_note[0] ? result->files_note : "the server does not say why");
        for (size_t i = 0; i < x->n_globs; i++)
                if (report_unmatched(sentence, x, i, v->a))
                        say(v, "%s", sentence);
}

/* dir is the output directory, or -1 where there is none. */
static int deliver(const struct options *o, int dir, const struct submission *x, const struct answer *a)
{
        const hatchery_v1_Result *result = &a->m.answer.result;
        int code = report_exit_code(result);
        char text[REPORT_SIZE];
        struct voice v = { a, o->json };

        struct err e = { 0 };
        if (print_result(o, a, &e) < 0) {
                say(&v, "%s", e.text);
                code = EXIT_REFUSED;
        }
        if (dir >= 0 && !write_files(&v, dir))
                code = EXIT_REFUSED;
        if (!o->json)
                say_what_is_missing(&v, x);
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

/* Asks the server; h and a are the caller's to release. Returns the exit code. */
static int ask(struct hatchery **h, struct hatchery_answer *a, const struct options *o, struct program *p, int dir)
{
        struct err e = { 0 };
        if (reach(h, o, &e) < 0)
                return refuse_connection(o->json, &e);
        hatchery_set_compress(*h, o->compress);
        if (consult(*h, p, o, &e) < 0)
                return refuse_connection(o->json, &e);
        if (hatchery_call(*h, &p->request, a, &e) < 0)
                return refuse_connection(o->json, &e);
        if (a->answer.m.which_answer != hatchery_v1_ServerMessage_result_tag)
                return refuse_answer(o->json, &a->answer);
        return deliver(o, dir, &p->request.execute, &a->answer);
}

int run(const struct options *o)
{
        struct err e = { 0 };
        struct program p;
        struct hatchery *h = NULL;
        struct hatchery_answer a = { 0 };
        OWN_FD int dir = -1;

        /* The output directory comes first: a run whose files have nowhere to go should not be run. */
        int r = program_init(&p, o, &e);
        if (r == 0 && o->out_dir)
                r = dir = outdir_open(o->out_dir, &e);
        int code = r < 0 ? refuse_input(o->json, &e) : ask(&h, &a, o, &p, dir);

        hatchery_answer_fini(&a);
        hatchery_close(h);
        program_fini(&p);
        return code;
}
