/* The end of a run in words: see report.h. */
#include "client/report.h"

#include "client/text.h"
#include "proto/base/glob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ON_ITS_WAY_US = 20000 };

static int signal_code(int number)
{
        return number > 0 && number < 128 ? EXIT_SIGNAL + number : EXIT_REFUSED;
}

/* The exit code of the compiler's own command under the same limits in a shell. */
static int compile_exit_code(const hatchery_v1_CompileStage *c)
{
        switch ((int)c->status) {
        case hatchery_v1_Result_Status_TIME_LIMIT:
        case hatchery_v1_Result_Status_CPU_LIMIT:
                return EXIT_TIME;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                return 137;
        case hatchery_v1_Result_Status_SIGNALED:
                return signal_code(c->signal);
        default:
                return (c->exit_code & 0xff) != 0 ? c->exit_code & 0xff : 1;
        }
}

int report_exit_code(const hatchery_v1_Result *r)
{
        switch ((int)r->status) {
        case hatchery_v1_Result_Status_EXITED:
                return r->exit_code & 0xff;
        case hatchery_v1_Result_Status_SIGNALED:
                return signal_code(r->signal);
        case hatchery_v1_Result_Status_TIME_LIMIT:
        case hatchery_v1_Result_Status_CPU_LIMIT:
                return EXIT_TIME;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                return 137;
        case hatchery_v1_Result_Status_OUTPUT_LIMIT:
                return 143;
        case hatchery_v1_Result_Status_DISK_LIMIT:
                return r->signal ? signal_code(r->signal) : r->exit_code & 0xff;
        case hatchery_v1_Result_Status_COMPILE_ERROR:
                return compile_exit_code(&r->compile);
        case hatchery_v1_Result_Status_CANCELLED:
                return EXIT_INTERRUPTED;
        default:
                return EXIT_REFUSED;
        }
}

/* " of 2 s" if the request named the limit, else nothing: the server's default is not known here. */
static const char *asked(char out[2 * TEXT_SIZE], const struct submission *x, enum limit limit)
{
        char value[TEXT_SIZE];
        out[0] = '\0';
        if (!x->has_limit[limit])
                return out;
        if (limit_table[limit].unit == LIMIT_UNIT_US)
                text_us(value, (uint64_t)x->limit[limit]);
        else
                text_bytes(value, (uint64_t)x->limit[limit]);
        snprintf(out, 2 * TEXT_SIZE, " of %s", value);
        return out;
}

static void time_limit(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r)
{
        char wall[TEXT_SIZE], waited[TEXT_SIZE], limit[2 * TEXT_SIZE], deadline[TEXT_SIZE];
        text_us(wall, r->wall_us);
        bool by_limit = !x->has_limit[LIMIT_WALL] || r->wall_us >= (uint64_t)x->limit[LIMIT_WALL];

        /* A run ends at the wall limit or at the deadline, and the result does not say which. The request's numbers
         * tell. The deadline began to count a little earlier, when the request was on its way. */
        if (x->deadline_us > 0 && (!by_limit || r->queue_us + r->wall_us + ON_ITS_WAY_US >= x->deadline_us))
                snprintf(out, REPORT_SIZE, "killed: deadline of %s reached after %s of waiting and %s of running",
                         text_us(deadline, x->deadline_us), text_us(waited, r->queue_us), wall);
        else
                snprintf(out, REPORT_SIZE, "killed: wall time limit%s reached after %s", asked(limit, x, LIMIT_WALL),
                         wall);
}

static void by_signal(char out[REPORT_SIZE], int number)
{
        const char *abbreviation = sigabbrev_np(number);
        const char *description = sigdescr_np(number);
        if (abbreviation && description)
                snprintf(out, REPORT_SIZE, "killed by signal %d (SIG%s: %s)", number, abbreviation, description);
        else
                snprintf(out, REPORT_SIZE, "killed by signal %d", number);
}

static const char *asked_of_compiler(char out[2 * TEXT_SIZE], const struct submission *x, enum limit limit)
{
        struct submission of = { 0 };
        of.has_limit[limit] = x->has_compile_limit[limit];
        of.limit[limit] = x->compile_limit[limit];
        return asked(out, &of, limit);
}

static void compile_error(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r)
{
        const hatchery_v1_CompileStage *c = &r->compile;
        char limit[2 * TEXT_SIZE], a[TEXT_SIZE];

        switch ((int)c->status) {
        case hatchery_v1_Result_Status_TIME_LIMIT:
                snprintf(out, REPORT_SIZE, "the compiler was killed: wall time limit%s reached after %s",
                         asked_of_compiler(limit, x, LIMIT_WALL), text_us(a, c->wall_us));
                return;
        case hatchery_v1_Result_Status_CPU_LIMIT:
                snprintf(out, REPORT_SIZE, "the compiler was killed: CPU time limit%s reached: %s used",
                         asked_of_compiler(limit, x, LIMIT_CPU), text_us(a, c->cpu_us));
                return;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                snprintf(out, REPORT_SIZE, "the compiler was killed: memory limit%s reached; the peak was %s",
                         asked_of_compiler(limit, x, LIMIT_MEMORY), text_bytes(a, c->memory_peak_bytes));
                return;
        case hatchery_v1_Result_Status_DISK_LIMIT:
                snprintf(out, REPORT_SIZE, "the compiler failed: disk limit%s reached",
                         asked_of_compiler(limit, x, LIMIT_DISK));
                return;
        case hatchery_v1_Result_Status_SIGNALED:
                snprintf(out, REPORT_SIZE, "the compiler was killed by signal %d", c->signal);
                return;
        default:
                snprintf(out, REPORT_SIZE, "the program does not compile");
        }
}

bool report_sentence(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r)
{
        char limit[2 * TEXT_SIZE], a[TEXT_SIZE], b[TEXT_SIZE];

        switch ((int)r->status) {
        case hatchery_v1_Result_Status_EXITED:
                return false;
        case hatchery_v1_Result_Status_SIGNALED:
                by_signal(out, r->signal);
                return true;
        case hatchery_v1_Result_Status_TIME_LIMIT:
                time_limit(out, x, r);
                return true;
        case hatchery_v1_Result_Status_CPU_LIMIT:
                snprintf(out, REPORT_SIZE, "killed: CPU time limit%s reached: %s used in %s",
                         asked(limit, x, LIMIT_CPU), text_us(a, r->cpu_us), text_us(b, r->wall_us));
                return true;
        case hatchery_v1_Result_Status_MEMORY_LIMIT:
                snprintf(out, REPORT_SIZE, "killed: memory limit%s reached; the peak was %s",
                         asked(limit, x, LIMIT_MEMORY), text_bytes(a, r->memory_peak_bytes));
                return true;
        case hatchery_v1_Result_Status_OUTPUT_LIMIT:
                snprintf(out, REPORT_SIZE,
                         "killed: output limit%s reached: %s on standard output, %s on standard error",
                         asked(limit, x, LIMIT_OUTPUT), text_bytes(a, r->stdout_total), text_bytes(b, r->stderr_total));
                return true;
        case hatchery_v1_Result_Status_DISK_LIMIT:
                snprintf(out, REPORT_SIZE, "disk limit%s reached; the program failed with %s %d",
                         asked(limit, x, LIMIT_DISK), r->signal ? "signal" : "exit code",
                         r->signal ? r->signal : r->exit_code);
                return true;
        case hatchery_v1_Result_Status_COMPILE_ERROR:
                compile_error(out, x, r);
                return true;
        case hatchery_v1_Result_Status_CANCELLED:
                snprintf(out, REPORT_SIZE, "cancelled after %s", text_us(a, r->wall_us));
                return true;
        default:
                snprintf(out, REPORT_SIZE,
                         "the server reports the outcome %d, which this version does not know: upgrade it",
                         (int)r->status);
                return true;
        }
}

bool report_denied(char out[REPORT_SIZE], const struct submission *x, const hatchery_v1_Result *r)
{
        bool compiling = (int)r->status == hatchery_v1_Result_Status_COMPILE_ERROR;
        bool has = compiling ? x->has_compile_limit[LIMIT_PIDS] : x->has_limit[LIMIT_PIDS];
        const struct limit_row *row = &limit_table[LIMIT_PIDS];
        char of[32] = "";

        if (r->pids_denied == 0)
                return false;
        if (has)
                snprintf(of, sizeof of, " of %" PRId64, (compiling ? x->compile_limit : x->limit)[LIMIT_PIDS]);
        snprintf(out, REPORT_SIZE,
                 "the limit%s on processes and threads was reached: the %s was refused %" PRIu64
                 " more; --%s raises it",
                 of, compiling ? "compiler" : "program", r->pids_denied, compiling ? row->compile_option : row->option);
        return true;
}

bool report_cut(char out[REPORT_SIZE], unsigned stream, const struct answer *a, const uint64_t streamed[2])
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const struct {
                const char *what;
                bool cut;
                uint64_t came;
                uint64_t of; /* 0: not told */
                const char *option;
        } streams[REPORT_STREAMS] = {
                { "standard output", r->stdout_truncated, streamed[0] + a->out.len, r->stdout_total,
                  limit_table[LIMIT_OUTPUT].option },
                { "standard error", r->stderr_truncated, streamed[1] + a->err.len, r->stderr_total,
                  limit_table[LIMIT_OUTPUT].option },
                { "the compiler's standard output", r->compile.stdout_truncated, a->compile_out.len, 0,
                  limit_table[LIMIT_OUTPUT].compile_option },
                { "the compiler's standard error", r->compile.stderr_truncated, a->compile_err.len, 0,
                  limit_table[LIMIT_OUTPUT].compile_option },
        };
        char came[TEXT_SIZE], all[TEXT_SIZE];

        if (stream >= REPORT_STREAMS || !streams[stream].cut ||
            (streams[stream].of > 0 && r->status == hatchery_v1_Result_Status_OUTPUT_LIMIT))
                return false;
        text_bytes(came, streams[stream].came);
        if (streams[stream].of > 0)
                snprintf(out, REPORT_SIZE, "%s was cut: %s of %s came; --%s SIZE lets more come", streams[stream].what,
                         came, text_bytes(all, streams[stream].of), streams[stream].option);
        else
                snprintf(out, REPORT_SIZE, "%s was cut: %s of it came; --%s SIZE lets more come", streams[stream].what,
                         came, streams[stream].option);
        return true;
}

static bool matches(const char *glob, struct span name)
{
        char path[GLOB_PATH_MAX];
        if (name.len >= sizeof path)
                return false;
        memcpy(path, name.data, name.len);
        path[name.len] = '\0';
        return glob_match(glob, path);
}

static bool matches_any(const char *glob, const struct file_span *files, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (matches(glob, files[i].raw_name.len > 0 ? files[i].raw_name : files[i].name))
                        return true;
        return false;
}

bool report_unmatched(char out[REPORT_SIZE], const struct submission *x, size_t glob, const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        char pattern[256];

        snprintf(pattern, sizeof pattern, "%.*s", (int)x->globs[glob].len, (const char *)x->globs[glob].data);
        if (r->files_incomplete || r->status == hatchery_v1_Result_Status_COMPILE_ERROR ||
            r->status == hatchery_v1_Result_Status_CANCELLED || x->globs[glob].len >= sizeof pattern ||
            matches_any(pattern, a->files, a->n_files))
                return false;
        if (x->collect_changed_only && matches_any(pattern, x->files, x->n_files))
                snprintf(
                        out, REPORT_SIZE,
                        "--collect '%s' matched only unchanged files of the request; --collect-all collects these, too",
                        pattern);
        else
                snprintf(out, REPORT_SIZE, "--collect '%s' matched nothing%s", pattern,
                         x->collect_changed_only ? " that the run made or changed" : "");
        return true;
}

enum { STAGES_SIZE = 5 * TEXT_SIZE + 64 };

static const char *stages(char out[STAGES_SIZE], const hatchery_v1_Stages *s)
{
        char queue[TEXT_SIZE], dispatch[TEXT_SIZE], run[TEXT_SIZE], drain[TEXT_SIZE], collect[TEXT_SIZE];
        snprintf(out, STAGES_SIZE, "queue %s, dispatch %s, run %s, drain %s, collect %s", text_us(queue, s->queue_us),
                 text_us(dispatch, s->dispatch_us), text_us(run, s->run_us), text_us(drain, s->drain_us),
                 text_us(collect, s->collect_us));
        return out;
}

void report_stats(char out[REPORT_SIZE], const hatchery_v1_Result *r)
{
        char how[48] = "", compile[TEXT_SIZE + 32] = "", wall[TEXT_SIZE], cpu[TEXT_SIZE], memory[TEXT_SIZE],
             warm[TEXT_SIZE], where[STAGES_SIZE];
        if (r->signal)
                snprintf(how, sizeof how, " signal %d", r->signal);
        else if (r->status == hatchery_v1_Result_Status_EXITED || r->status == hatchery_v1_Result_Status_DISK_LIMIT)
                snprintf(how, sizeof how, " code %d", r->exit_code);
        if (r->has_compile)
                snprintf(compile, sizeof compile, ", %s in %s", r->compile.cached ? "from the cache" : "compiled",
                         text_us(wall, r->compile.compile_us));
        snprintf(out, REPORT_SIZE, "%s%s%s, wall %s, cpu %s, memory %s, warm for %s, sandbox %s%s; %s",
                 answer_status_name((int)r->status), how, compile, text_us(wall, r->wall_us), text_us(cpu, r->cpu_us),
                 text_bytes(memory, r->memory_peak_bytes), text_us(warm, r->warm_us), r->sandbox,
                 r->stdout_truncated || r->stderr_truncated ? ", output truncated" : "", stages(where, &r->stages));
}
