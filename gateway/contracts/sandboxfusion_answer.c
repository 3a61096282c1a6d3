/* Answers: see sandboxfusion_answer.h. */
#include "gateway/contracts/sandboxfusion_answer.h"

#include "gateway/json.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENDED(name) hatchery_v1_Result_Status_##name

enum { MIB = 1 << 20 };

void fusion_note(struct fusion_notes *n, const char *format, ...)
{
        va_list args;
        const char *between = n->len > 0 ? " " : "";
        size_t room = sizeof n->text - n->len, gap = strlen(between);

        if (room <= gap)
                return;
        va_start(args, format);
        int len = vsnprintf(n->text + n->len + gap, room - gap, format, args);
        va_end(args);
        if (len < 0 || (size_t)len >= room - gap) {
                n->text[n->len] = '\0';
                return;
        }
        memcpy(n->text + n->len, between, gap);
        n->len += gap + (size_t)len;
}

static json_t *notes_json(const struct fusion_notes *n)
{
        return json_text((struct span){ (const uint8_t *)n->text, n->len }, true);
}

static json_t *seconds(uint64_t us)
{
        return json_real((double)us / 1e6);
}

/* ---------------------------------------------------------------- stages */

static bool is_timeout(hatchery_v1_Result_Status status)
{
        return status == ENDED(TIME_LIMIT) || status == ENDED(CPU_LIMIT);
}

/* The code that a parent process sees: negative for a signal. A run that met its memory limit counts as killed by
 * SIGKILL, even if the kernel killed only a child of the main process. */
static int return_code(hatchery_v1_Result_Status status, int exit_code, int signal)
{
        if (signal != 0)
                return -signal;
        return status == ENDED(MEMORY_LIMIT) ? -SIGKILL : exit_code;
}

static json_t *stage(hatchery_v1_Result_Status status, int exit_code, int signal, json_t *time, struct span out,
                     struct span err)
{
        bool timeout = is_timeout(status);

        return json_pack("{s:s, s:o, s:o, s:o, s:o}", "status", timeout ? "TimeLimitExceeded" : "Finished",
                         "execution_time", time, "return_code",
                         timeout ? json_null() : json_integer(return_code(status, exit_code, signal)), "stdout",
                         json_text(out, true), "stderr", json_text(err, true));
}

json_t *fusion_run_result(const struct answer *a, struct span out, struct span err)
{
        const hatchery_v1_Result *r = &a->m.answer.result;

        return stage(r->status, r->exit_code, r->signal, seconds(r->wall_us), out, err);
}

static json_t *compile_result(const struct fusion_request *request, const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const hatchery_v1_CompileStage *c = &r->compile;

        if (r->has_compile)
                return stage(c->status, c->exit_code, c->signal, seconds(c->compile_us), a->compile_out,
                             a->compile_err);
        if (request->language->compile == FUSION_COMPILE_INSIDE) /* a part of the run: it has no time of its own */
                return stage(ENDED(EXITED), 0, 0, json_null(), (struct span){ 0 }, (struct span){ 0 });
        return json_null();
}

/* Standard error without the line that our own variable made Java print. */
static struct span without_note(const struct fusion_request *r, struct span err)
{
        const size_t n = sizeof FUSION_JAVA_NOTE - 1;

        if (r->language->compile != FUSION_COMPILE_INSIDE || err.len < n || memcmp(err.data, FUSION_JAVA_NOTE, n) != 0)
                return err;
        return (struct span){ err.data + n, err.len - n };
}

/* ---------------------------------------------------------------- message */

static void note_cut(struct fusion_notes *n, const char *stream, size_t kept, uint64_t total)
{
        if (total > kept)
                fusion_note(n, "%s was cut: the first %zu of %" PRIu64 " bytes are here, which is the limit of output.",
                            stream, kept, total);
        else
                fusion_note(n, "%s was cut: the first %zu bytes are here, which is the limit of output.", stream, kept);
}

static void note_stage(struct fusion_notes *n, const char *who, hatchery_v1_Result_Status status, bool oom,
                       uint64_t peak, uint64_t wall_us, uint64_t cpu_us)
{
        if (status == ENDED(MEMORY_LIMIT) || oom)
                fusion_note(n,
                            "Memory limit exceeded: %s held %" PRIu64
                            " MiB at most, which was its limit, and the kernel killed a process of it.",
                            who, (peak + MIB - 1) / MIB);
        if (status == ENDED(TIME_LIMIT))
                fusion_note(n, "Time limit exceeded: %s was killed after %.3f s.", who, (double)wall_us / 1e6);
        if (status == ENDED(CPU_LIMIT))
                fusion_note(n, "Time limit exceeded: %s was killed after %.3f s of processor time.", who,
                            (double)cpu_us / 1e6);
        if (status == ENDED(OUTPUT_LIMIT))
                fusion_note(n, "Output limit exceeded: %s was killed.", who);
        if (status == ENDED(DISK_LIMIT))
                fusion_note(n, "Disk limit exceeded: %s failed, and its disk was full.", who);
}

void fusion_note_limits(struct fusion_notes *n, const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        const hatchery_v1_CompileStage *c = &r->compile;

        if (r->has_compile) {
                note_stage(n, "the compiler", c->status, false, c->memory_peak_bytes, c->wall_us, c->cpu_us);
                if (c->stdout_truncated)
                        note_cut(n, "compile_result.stdout", a->compile_out.len, 0);
                if (c->stderr_truncated)
                        note_cut(n, "compile_result.stderr", a->compile_err.len, 0);
        }
        note_stage(n, "the run", r->status, r->oom_killed, r->memory_peak_bytes, r->wall_us, r->cpu_us);
        if (r->pids_denied > 0)
                fusion_note(n, "Process limit met: %" PRIu64 " processes or threads could not be started.",
                            r->pids_denied);
        if (r->stdout_truncated)
                note_cut(n, "stdout", a->out.len, r->stdout_total);
        if (r->stderr_truncated)
                note_cut(n, "stderr", a->err.len, r->stderr_total);
}

/* ---------------------------------------------------------------- files */

static const struct file_span *file_called(const struct answer *a, const char *name)
{
        for (size_t i = 0; i < a->n_files; i++)
                if (a->files[i].name.len == strlen(name) && memcmp(a->files[i].name.data, name, strlen(name)) == 0)
                        return &a->files[i];
        return NULL;
}

json_t *fusion_files(const struct fusion_request *r, const struct answer *a, struct fusion_notes *n)
{
        json_t *files = json_object();
        const hatchery_v1_Result *result = &a->m.answer.result;

        for (size_t i = 0; files && i < r->n_fetch; i++) {
                const struct file_span *found = file_called(a, r->fetch[i].name);
                if (!found) {
                        if (result->status != ENDED(COMPILE_ERROR))
                                fusion_note(n, "fetch_files: %.200s is not among the files of the run.",
                                            r->fetch[i].asked);
                } else if (json_object_set_new(files, r->fetch[i].asked, json_base64(found->content)) < 0) {
                        json_decref(files);
                        return NULL;
                }
        }
        if (result->files_incomplete)
                fusion_note(n, "fetch_files: %s.", result->files_note);
        return files;
}

/* ---------------------------------------------------------------- answers */

static const char *status_of(const hatchery_v1_Result *r)
{
        if (r->status == ENDED(CANCELLED))
                return "SandboxError";
        return r->status == ENDED(EXITED) && r->exit_code == 0 ? "Success" : "Failed";
}

json_t *fusion_answer_code(const struct fusion_request *r, const struct answer *a)
{
        const hatchery_v1_Result *result = &a->m.answer.result;
        struct fusion_notes notes = { 0 };

        json_t *files = fusion_files(r, a, &notes);
        fusion_note_limits(&notes, a);
        if (result->status == ENDED(CANCELLED))
                fusion_note(&notes, "The run was cancelled.");
        json_t *run = result->status == ENDED(COMPILE_ERROR) ? json_null()
                                                             : fusion_run_result(a, a->out, without_note(r, a->err));
        return json_pack("{s:s, s:o, s:o, s:o, s:n, s:o}", "status", status_of(result), "message", notes_json(&notes),
                         "compile_result", compile_result(r, a), "run_result", run, "executor_pod_name", "files",
                         files);
}

json_t *fusion_answer_fault(const struct fusion_request *r, const char *message)
{
        json_t *text = json_text(span_of_text(message), true);

        if (r->is_jupyter)
                return json_pack("{s:s, s:o, s:n, s:[], s:n, s:{}}", "status", "SandboxError", "message", text,
                                 "driver", "cells", "executor_pod_name", "files");
        return json_pack("{s:s, s:o, s:n, s:n, s:n, s:{}}", "status", "SandboxError", "message", text, "compile_result",
                         "run_result", "executor_pod_name", "files");
}
