/* How a stage ended and what it wrote, in Piston's words: statuses, sentences, signals, times in ms, memory in bytes.
 */
#include "gateway/contracts/piston_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { US_PER_MS = 1000, TEXT_FIRST_ROOM = 256 };

/* ---------------------------------------------------------------- ends */

/* The signals that the pool delivers (docs/protocol.md). */
static const struct {
        const char *name;
        uint32_t number;
} signals[] = {
        { "SIGHUP", 1 },   { "SIGINT", 2 },   { "SIGQUIT", 3 },  { "SIGKILL", 9 },  { "SIGUSR1", 10 },
        { "SIGUSR2", 12 }, { "SIGTERM", 15 }, { "SIGCONT", 18 }, { "SIGSTOP", 19 }, { "SIGWINCH", 28 },
};

uint32_t piston_signal_number(const char *name)
{
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
                if (strcmp(signals[i].name, name) == 0)
                        return signals[i].number;
        return 0;
}

static void set_signal(struct piston_end *end, int number)
{
        const char *name = sigabbrev_np(number);

        if (name)
                snprintf(end->signal, sizeof end->signal, "SIG%s", name);
        else
                snprintf(end->signal, sizeof end->signal, "SIG%d", number);
}

__attribute__((format(printf, 4, 5))) static void ended(struct piston_end *end, const char *status, int signal,
                                                        const char *format, ...)
{
        va_list args;

        end->status = status;
        if (signal > 0) {
                end->code = -1;
                set_signal(end, signal);
        }
        va_start(args, format);
        vsnprintf(end->message, sizeof end->message, format, args);
        va_end(args);
}

/* The facts about either stage. */
struct facts {
        hatchery_v1_Result_Status status;
        int exit_code, signal;
        bool err_is_cut, out_is_cut;
};

static void describe(struct piston_end *end, const struct facts *f)
{
        enum { KILLED = 9 };

        *end = (struct piston_end){ .code = f->exit_code };
        switch (f->status) {
        case hatchery_v1_Result_Status_EXITED:
                if (f->exit_code != 0)
                        ended(end, "RE", 0, "Exited with error status %d", f->exit_code);
                break;
        case hatchery_v1_Result_Status_SIGNALED:
                ended(end, "SG", f->signal, "Caught fatal signal %d", f->signal);
                break;
        case hatchery_v1_Result_Status_TIME_LIMIT:
                ended(end, "TO", KILLED, "Time limit exceeded (wall clock)");
                break;
        case hatchery_v1_Result_Status_CPU_LIMIT:
                ended(end, "TO", KILLED, "Time limit exceeded");
                break;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                ended(end, "SG", KILLED, "Memory limit exceeded");
                break;
        case hatchery_v1_Result_Status_OUTPUT_LIMIT:
                if (f->err_is_cut && !f->out_is_cut)
                        ended(end, "EL", KILLED, "stderr length exceeded");
                else
                        ended(end, "OL", KILLED, "stdout length exceeded");
                break;
        case hatchery_v1_Result_Status_DISK_LIMIT:
                ended(end, "RE", 0, "Exited with error status %d: its disk was full", f->exit_code);
                break;
        case hatchery_v1_Result_Status_COMPILE_ERROR:
                ended(end, "RE", 0, "Exited with error status %d", f->exit_code);
                break;
        case hatchery_v1_Result_Status_CANCELLED:
                ended(end, "XX", KILLED, "Cancelled");
                break;
        case hatchery_v1_Result_Status_STATUS_UNSPECIFIED:
                ended(end, "XX", 0, "The server does not tell how it ended");
                break;
        }
}

void piston_run_end(struct piston_end *end, const hatchery_v1_Result *result)
{
        const struct facts facts = { .status = result->status,
                                     .exit_code = result->exit_code,
                                     .signal = result->signal,
                                     .out_is_cut = result->stdout_truncated,
                                     .err_is_cut = result->stderr_truncated };
        describe(end, &facts);
}

void piston_compile_end(struct piston_end *end, const hatchery_v1_Result *result)
{
        const hatchery_v1_CompileStage *c = &result->compile;
        struct facts facts = { .status = c->status,
                               .exit_code = c->exit_code,
                               .signal = c->signal,
                               .out_is_cut = c->stdout_truncated,
                               .err_is_cut = c->stderr_truncated };

        /* The compiler exited with 0, but made no program. Clients of Piston look only at the code, so it must not be
         * 0. */
        if (result->status == hatchery_v1_Result_Status_COMPILE_ERROR && c->exit_code == 0 &&
            (c->status == hatchery_v1_Result_Status_EXITED || c->status == hatchery_v1_Result_Status_COMPILE_ERROR))
                facts.exit_code = 1;
        describe(end, &facts);
}

/* ---------------------------------------------------------------- output */

void piston_output_init(struct piston_output *o)
{
        *o = (struct piston_output){ .out.characters.replace = true, .err.characters.replace = true };
}

void piston_output_fini(struct piston_output *o)
{
        free(o->out.text);
        free(o->err.text);
        free(o->both.text);
        *o = (struct piston_output){ 0 };
}

/* Room for so many bytes more; false: no memory. */
static bool reserve(struct piston_text *t, size_t more)
{
        size_t room = t->room ? t->room : TEXT_FIRST_ROOM;

        while (room - t->len < more)
                room *= 2;
        if (room == t->room)
                return true;
        char *grown = realloc(t->text, room);
        if (!grown)
                return false;
        t->text = grown;
        t->room = room;
        return true;
}

/* Appends the stream's text from `from` on to the text of both streams. */
static void copy_to_both(struct piston_output *o, const struct piston_text *t, size_t from)
{
        const size_t len = t->len - from;

        if (len == 0)
                return;
        if (!reserve(&o->both, len)) {
                o->lacks_memory = true;
                return;
        }
        memcpy(o->both.text + o->both.len, t->text + from, len);
        o->both.len += len;
}

void piston_output_take(struct piston_output *o, hatchery_v1_Output_Stream stream, struct span bytes)
{
        struct piston_text *t = stream == hatchery_v1_Output_Stream_STDERR ? &o->err : &o->out;
        const size_t from = t->len;

        if (!reserve(t, hatchery_characters_room(bytes.len))) {
                o->lacks_memory = true;
                return;
        }
        t->len += hatchery_characters_feed(&t->characters, bytes.data, bytes.len, t->text + t->len, NULL);
        copy_to_both(o, t, from);
}

static void end_stream(struct piston_output *o, struct piston_text *t, bool is_cut)
{
        const size_t from = t->len;

        if (is_cut || t->characters.n_carried == 0)
                return;
        if (!reserve(t, hatchery_characters_room(0))) {
                o->lacks_memory = true;
                return;
        }
        t->len += hatchery_characters_end(&t->characters, t->text + t->len, NULL);
        copy_to_both(o, t, from);
}

void piston_output_end(struct piston_output *o, bool out_is_cut, bool err_is_cut)
{
        end_stream(o, &o->out, out_is_cut);
        end_stream(o, &o->err, err_is_cut);
}

/* ---------------------------------------------------------------- JSON */

/* In whole milliseconds, to the nearest: typed clients expect integers. */
static json_t *ms(uint64_t us)
{
        return json_integer((json_int_t)((us + US_PER_MS / 2) / US_PER_MS));
}

static json_t *text_json(const struct piston_text *t)
{
        return json_stringn_nocheck(t->len ? t->text : "", t->len); /* it is UTF-8 already */
}

static json_t *text_or_null(const char *text)
{
        return text && *text ? json_string(text) : json_null();
}

struct usage {
        uint64_t wall_us, cpu_us, memory_bytes;
};

static json_t *stage_json(const struct piston_output *o, const struct piston_end *end, const struct usage *u)
{
        if (o->lacks_memory)
                return NULL;
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "signal", text_or_null(end->signal),
                         "stdout", text_json(&o->out), "stderr", text_json(&o->err), "code",
                         end->code >= 0 ? json_integer(end->code) : json_null(), "output", text_json(&o->both),
                         "memory", json_integer((json_int_t)u->memory_bytes), "message", text_or_null(end->message),
                         "status", text_or_null(end->status), "cpu_time", ms(u->cpu_us), "wall_time", ms(u->wall_us));
}

json_t *piston_run_json(const hatchery_v1_Result *result, const struct piston_output *o)
{
        const struct usage usage = { result->wall_us, result->cpu_us, result->memory_peak_bytes };
        struct piston_end end;

        piston_run_end(&end, result);
        return stage_json(o, &end, &usage);
}

/* The pool keeps no order of a compiler's two streams, so standard output comes first. */
json_t *piston_compile_json(const struct hatchery_answer *a)
{
        const hatchery_v1_CompileStage *c = &a->answer.m.answer.result.compile;
        const struct usage usage = { c->wall_us, c->cpu_us, c->memory_peak_bytes };
        struct piston_output o;
        struct piston_end end;

        piston_output_init(&o);
        piston_output_take(&o, hatchery_v1_Output_Stream_STDOUT, a->answer.compile_out);
        piston_output_take(&o, hatchery_v1_Output_Stream_STDERR, a->answer.compile_err);
        piston_output_end(&o, c->stdout_truncated, c->stderr_truncated);
        piston_compile_end(&end, &a->answer.m.answer.result);
        json_t *json = stage_json(&o, &end, &usage);
        piston_output_fini(&o);
        return json;
}
