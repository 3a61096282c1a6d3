/* A run's job, as bytes for its sandbox: see proto/ipc/job.h. */
#include "pool/core/run_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MODE = 0644, ARTIFACT_MODE = 0755 };

/* True if an artifact of the same name replaces this file of the caller. */
static bool is_replaced(const struct run_task *t, struct span name)
{
        for (size_t i = 0; i < t->n_artifacts; i++) {
                struct span artifact = t->artifacts[i].name;
                if (artifact.len == name.len && memcmp(artifact.data, name.data, name.len) == 0)
                        return true;
        }
        return false;
}

/* The files of the job. If a file of the request and an artifact have the same name, the artifact is used. */
struct file_span *run_job_files(const struct run *r, size_t *n)
{
        const struct run_task *t = &r->task;
        const struct submission *x = &t->submission;
        struct file_span *files = calloc(x->n_files + t->n_artifacts + 1, sizeof *files);

        *n = 0;
        if (!files)
                return NULL;
        for (size_t i = 0; i < x->n_files; i++) {
                if (is_replaced(t, x->files[i].name))
                        continue;
                files[*n] = x->files[i];
                files[*n].mode = x->files[i].mode ? x->files[i].mode : DEFAULT_MODE;
                ++*n;
        }
        if (x->has_code && !is_replaced(t, t->entry))
                files[(*n)++] = (struct file_span){ .name = t->entry, .content = x->code, .mode = DEFAULT_MODE };
        for (size_t i = 0; i < t->n_artifacts; i++)
                files[(*n)++] = (struct file_span){
                        .name = t->artifacts[i].name,
                        .content = t->artifacts[i].content,
                        .mode = ARTIFACT_MODE,
                };
        return files;
}

static void add_file(struct run *r, size_t i, const struct file_span *f)
{
        r->job_files[i] = (struct job_file){
                .size = f->content.len,
                .mode = f->mode,
                .name_len = (uint32_t)f->name.len,
        };
        feed_add(&r->job, &r->job_files[i], sizeof r->job_files[i]);
        feed_add(&r->job, f->name.data, f->name.len);
        feed_add(&r->job, f->content.data, f->content.len);
}

static int add_files(struct run *r, const struct file_span *files, size_t n, struct err *e)
{
        const struct run_task *t = &r->task;
        size_t head_len;

        int rc = job_pack(&t->submission, t->entry, (uint32_t)n, t->limit, t->purpose, &r->job_head, &head_len, e);
        if (rc < 0)
                return rc;
        r->job_files = calloc(n ? n : 1, sizeof *r->job_files);
        if (!r->job_files)
                return err_set(e, ENOMEM, "a job of %zu files", n);
        rc = feed_init(&r->job, 1 + 3 * n, e);
        if (rc < 0)
                return rc;
        feed_add(&r->job, r->job_head, head_len);
        for (size_t i = 0; i < n; i++)
                add_file(r, i, &files[i]);
        return 0;
}

int run_job_build(struct run *r, struct err *e)
{
        const struct span input = r->task.submission.standard_input;
        size_t n;
        struct file_span *files = run_job_files(r, &n);

        if (!files)
                return err_set(e, ENOMEM, "a job");
        int rc = add_files(r, files, n, e);
        free(files);
        if (rc < 0 || input.len == 0)
                return rc;
        rc = feed_init(&r->input, 1, e);
        if (rc == 0)
                feed_add(&r->input, input.data, input.len);
        return rc;
}

/* Each file has three pieces in the feed. */
uint64_t run_job_weight(const struct run *r)
{
        return r->job_files ? r->job.room / 3 * (sizeof *r->job_files + 3 * sizeof *r->job.piece) : 0;
}

void run_job_fini(struct run *r)
{
        feed_fini(&r->job);
        feed_fini(&r->input);
        free(r->job_head);
        free(r->job_files);
        r->job_head = NULL;
        r->job_files = NULL;
}
