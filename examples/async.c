/* A hundred programs in flight on one connection; their output is shown as it comes. Build it against an installed
 * libhatchery: cc async.c $(pkg-config --cflags --libs hatchery). Argument: the server's address. */
#include "client/async.h"

#include <stdio.h>

enum { PROGRAMS = 100 };

static void on_output(void *data, struct hatchery_call *call, const struct hatchery_output *output)
{
        (void)call;
        printf("%3d | %.*s", *(int *)data, (int)output->bytes.len, (const char *)output->bytes.data);
}

static void on_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct hatchery_refusal refusal;
        (void)call;
        if (hatchery_refusal_of(a, &refusal))
                printf("%3d ! refused: %s\n", *(int *)data, refusal.message);
        else
                printf("%3d : exit code %d\n", *(int *)data, (int)a->answer.m.answer.result.exit_code);
}

static void on_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        (void)call;
        printf("%3d ! %s%s\n", *(int *)data, f->error.text, f->may_have_run ? " (it may have run)" : "");
}

int main(int argc, char **argv)
{
        const struct hatchery_call_ops ops = { .output = on_output, .answered = on_answered, .failed = on_failed };
        const struct hatchery_call_options options = { .retry = HATCHERY_RETRY_REFUSED, .deadline_us = 60000000 };
        const struct hatchery_client_config config = { .address = argc > 1 ? argv[1] : NULL, .once = true };
        struct hatchery_client *client = NULL;
        struct err e = { 0 };
        int numbers[PROGRAMS];

        int r = hatchery_client_new(&client, &config, &e);
        for (int i = 0; i < PROGRAMS && r == HATCHERY_OK; i++) {
                struct request q = { .kind = REQUEST_EXECUTE };
                numbers[i] = i;
                q.execute.language = span_of_text("python");
                q.execute.has_code = q.execute.stream = true;
                q.execute.code = span_of_text("import sys\nprint('hello from', sys.version.split()[0])");
                r = hatchery_client_send(client, &q, &options, &ops, &numbers[i], NULL, &e);
        }
        while (r == HATCHERY_OK && hatchery_client_calls(client) > 0)
                r = hatchery_client_wait(client, -1, &e);
        if (r != HATCHERY_OK)
                fprintf(stderr, "async: %s\n", e.text);
        hatchery_client_free(client);
        return r != HATCHERY_OK;
}
