/* `hatchery run`: sends the program, and gives its results to the terminal, the output directory or whoever reads JSON.
 */
#include "client/run.h"

#include "client/hatchery.h"
#include "client/json.h"
#include "client/outdir.h"
#include "client/program.h"
#include "client/refuse.h"
#include "client/report.h"
#include "client/text.h"
#include "proto/own.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int print_bytes(FILE *to, const char *name, struct span s, struct err *e)
{
        if (s.len > 0 && (fwrite(s.data, 1, s.len, to) < s.len || fflush(to) != 0))
                return err_set(e, errno, "write to %s", name);
        return 0;
}

/* Our own lines start at the start of a line, also where the program did not end its last one. */
static void end_line(const struct answer *a)
{
        const struct span *last = a->err.len > 0 ? &a->err : &a->out;
        if (last->len == 0)
                last = a->compile_err.len > 0 ? &a->compile_err : &a->compile_out;
        if (last == &a->out && !(isatty(STDOUT_FILENO) && isatty(STDERR_FILENO)))
                return;
        if (last->len > 0 && last->data[last->len - 1] != '\n')
                fputc('\n', stderr);
}

/* Writes every file that can be written; each that can't gets a line. False if there was one. */
static bool write_files(int dir, const struct answer *a)
{
        struct err e = { 0 };
        bool complete = true;
        for (size_t i = 0; i < a->n_files; i++) {
                if (outdir_write(dir, &a->files[i], &e) == 0)
                        continue;
                text_say("%s", e.text);
                complete = false;
        }
        return complete;
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

/* dir is the output directory, or -1 where there is none. */
static int deliver(const struct options *o, int dir, const struct execute *x, const struct answer *a)
{
        const hatchery_v1_Result *result = &a->m.answer.result;
        int code = report_exit_code(result);
        char sentence[REPORT_SIZE], denied[REPORT_SIZE], stats[REPORT_SIZE];
        bool has_sentence = !o->json && report_sentence(sentence, x, result);
        bool was_denied = !o->json && report_denied(denied, x, result);
        bool has_note = !o->json && result->files_incomplete;

        struct err e = { 0 };
        int printed = print_result(o, a, &e);
        if (!o->json && (has_sentence || was_denied || has_note || o->stats || printed < 0))
                end_line(a);
        if (printed < 0) {
                text_say("%s", e.text);
                code = EXIT_REFUSED;
        }
        if (dir >= 0 && !write_files(dir, a))
                code = EXIT_REFUSED;
        if (has_note)
                text_say("files are missing: %s",
                         result->files_note[0] ? result->files_note : "the server does not say why");
        if (has_sentence)
                text_say("%s", sentence);
        if (was_denied)
                text_say("%s", denied);
        if (o->stats) {
                report_stats(stats, result);
                text_say("%s", stats);
        }
        return code;
}

/* Asks the server; h and a are the caller's to release. Returns the exit code. */
static int ask(struct hatchery **h, struct hatchery_answer *a, const struct options *o, const struct request *q,
               int dir)
{
        struct err e = { 0 };
        if (hatchery_connect(h, o->address, &e) < 0)
                return refuse_connection(o->json, &e);
        hatchery_set_compress(*h, o->compress);
        if (hatchery_call(*h, q, a, &e) < 0)
                return refuse_connection(o->json, &e);
        if (a->answer.m.which_answer != hatchery_v1_ServerMessage_result_tag)
                return refuse_answer(o->json, &a->answer);
        return deliver(o, dir, &q->execute, &a->answer);
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
        int code = r < 0 ? refuse_input(o->json, &e) : ask(&h, &a, o, &p.request, dir);

        hatchery_answer_fini(&a);
        hatchery_close(h);
        program_fini(&p);
        return code;
}
