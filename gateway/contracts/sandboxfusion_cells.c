/* The answer to /run_jupyter. The driver (sandboxfusion_driver.py) writes marks into both streams of its run: MARK "B"
 * NUMBER "\n" where a cell begins, and in standard output MARK "R" JSON "\n" where it has ended, MARK "F" WORD "\n" at
 * last. All other bytes are the cells' output. The cells run in the driver's own process, so they can write marks, too:
 * they can falsify their own notebook's answer, and nothing else. The run's limit of output bounds everything here. */
#include "gateway/contracts/sandboxfusion_answer.h"

#include "gateway/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT hatchery_v1_Result_Status_TIME_LIMIT
#define CPU_LIMIT  hatchery_v1_Result_Status_CPU_LIMIT
#define EXITED     hatchery_v1_Result_Status_EXITED

/* One stream, taken apart from its beginning on. */
struct stream {
        const struct fusion_request *request;
        struct span rest;
};

/* What a stream has next. */
enum part_kind { PART_END, PART_TEXT, PART_BEGIN, PART_RESULT, PART_FINISH };

struct part {
        enum part_kind kind;
        struct span bytes; /* the text, or what follows the letter of a mark */
        size_t cell;       /* of PART_BEGIN */
};

/* What one cell, or the driver outside of cells, has written. The spans point into the notebook's text. */
struct cell {
        struct span out, err;
        json_t *record; /* display, error, cut; owned; NULL: the cell has not ended */
        bool begun;
};

struct notebook {
        struct cell driver;
        struct cell *cells; /* n of them */
        size_t n;
        uint8_t *text;    /* both streams without marks, so that each cell's text is in one piece */
        bool finished;    /* the driver came to its own end */
        bool out_of_time; /* ... because total_timeout was over */
        bool garbled;     /* a record could not be read */
};

static bool parse_number(struct span text, size_t most, size_t *number)
{
        size_t value = 0;

        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] < '0' || text.data[i] > '9' || value > most)
                        return false;
                value = 10 * value + (size_t)(text.data[i] - '0');
        }
        *number = value;
        return text.len > 0 && value < most;
}

static struct span take(struct stream *s, size_t n)
{
        struct span taken = { s->rest.data, n };

        s->rest.data += n;
        s->rest.len -= n;
        return taken;
}

/* Reads the line behind a mark. False: the limit of output cut the line, or the driver did not write it. */
static bool read_mark(struct stream *s, struct part *p)
{
        const uint8_t *end = s->rest.len > 0 ? memchr(s->rest.data, '\n', s->rest.len) : NULL;
        struct span line = take(s, end ? (size_t)(end - s->rest.data) + 1 : s->rest.len);

        if (!end || line.len < 2)
                return false;
        p->bytes = (struct span){ line.data + 1, line.len - 2 };
        switch (line.data[0]) {
        case 'B':
                p->kind = PART_BEGIN;
                return parse_number(p->bytes, s->request->n_cells, &p->cell);
        case 'R':
                p->kind = PART_RESULT;
                return true;
        case 'F':
                p->kind = PART_FINISH;
                return true;
        default:
                return false;
        }
}

static struct part next(struct stream *s)
{
        const size_t mark_len = FUSION_MARK_SIZE - 1;
        struct part p = { 0 };

        while (s->rest.len > 0) {
                const uint8_t *mark = memmem(s->rest.data, s->rest.len, s->request->mark, mark_len);
                if (mark != s->rest.data) {
                        p.kind = PART_TEXT;
                        p.bytes = take(s, mark ? (size_t)(mark - s->rest.data) : s->rest.len);
                        return p;
                }
                take(s, mark_len);
                if (read_mark(s, &p))
                        return p;
        }
        return (struct part){ .kind = PART_END };
}

static void take_record(struct notebook *book, struct cell *cell, struct span bytes)
{
        struct json_fault ignored;
        json_t *record = json_read(bytes, &ignored);

        if (!json_is_object(record) || !json_is_array(json_object_get(record, "display")) ||
            !json_is_array(json_object_get(record, "error"))) {
                json_decref(record);
                book->garbled = true;
                return;
        }
        json_decref(cell->record);
        cell->record = record;
}

/* Reads one stream. Its texts go to *to, one after the other; *to is moved behind them. */
static void read_stream(struct notebook *book, const struct fusion_request *r, struct span stream, bool is_err,
                        uint8_t **to)
{
        struct stream s = { r, stream };
        struct cell *cell = &book->driver;
        struct span *text = is_err ? &cell->err : &cell->out;

        *text = (struct span){ *to, 0 };
        for (struct part p = next(&s); p.kind != PART_END; p = next(&s)) {
                if (p.kind == PART_BEGIN) {
                        cell = &book->cells[p.cell];
                        cell->begun = true;
                        text = is_err ? &cell->err : &cell->out;
                        *text = (struct span){ *to, 0 };
                } else if (p.kind == PART_TEXT) {
                        memcpy(*to, p.bytes.data, p.bytes.len);
                        *to += p.bytes.len;
                        text->len += p.bytes.len;
                } else if (p.kind == PART_RESULT && cell != &book->driver) {
                        take_record(book, cell, p.bytes);
                } else if (p.kind == PART_FINISH) {
                        book->finished = true;
                        book->out_of_time = p.bytes.len == 4 && memcmp(p.bytes.data, "time", 4) == 0;
                }
        }
}

static void notebook_fini(struct notebook *book)
{
        for (size_t i = 0; i < book->n; i++)
                json_decref(book->cells[i].record);
        free(book->cells);
        free(book->text);
}

static int notebook_read(struct notebook *book, const struct fusion_request *r, const struct answer *a)
{
        uint8_t *to;

        *book = (struct notebook){ .n = r->n_cells };
        book->cells = calloc(r->n_cells + 1, sizeof *book->cells);
        book->text = to = malloc(a->out.len + a->err.len + 1);
        if (!book->cells || !book->text)
                return -ENOMEM;
        read_stream(book, r, a->out, false, &to);
        read_stream(book, r, a->err, true, &to);
        return 0;
}

/* ---------------------------------------------------------------- the answer */

static bool is_late(const hatchery_v1_Result *r)
{
        return r->status == TIME_LIMIT || r->status == CPU_LIMIT;
}

/* Why a cell that has begun has no end. */
static json_t *early_end(const struct answer *a)
{
        bool late = is_late(&a->m.answer.result);

        return json_pack("[{s:s, s:s, s:[]}]", "ename", late ? "TimeLimitExceeded" : "DeadKernelError", "evalue",
                         late ? "total_timeout was over in this cell" : "Python ended in this cell", "traceback");
}

static json_t *cell_json(const struct cell *cell, const struct answer *a)
{
        json_t *display = json_object_get(cell->record, "display"), *error = json_object_get(cell->record, "error");

        return json_pack("{s:o, s:o, s:o, s:o}", "stdout", json_text(cell->out, true), "stderr",
                         json_text(cell->err, true), "display", display ? json_incref(display) : json_array(), "error",
                         error ? json_incref(error) : early_end(a));
}

/* Each cell up to the last one that has begun. */
static json_t *cells_json(const struct notebook *book, const struct answer *a)
{
        json_t *cells = json_array();
        size_t n = book->n;

        while (n > 0 && !book->cells[n - 1].begun)
                n--;
        for (size_t i = 0; cells && i < n; i++)
                if (json_array_append_new(cells, cell_json(&book->cells[i], a)) < 0) {
                        json_decref(cells);
                        return NULL;
                }
        return cells;
}

static void note_cells(struct fusion_notes *n, const struct notebook *book, const struct answer *a)
{
        size_t begun = 0;

        for (size_t i = 0; i < book->n; i++) {
                begun += book->cells[i].begun;
                if (json_is_true(json_object_get(book->cells[i].record, "cut")))
                        fusion_note(n,
                                    "Cell %zu: its output was cut, because all cells together met the limit of output.",
                                    i);
        }
        if (book->out_of_time)
                fusion_note(n, "Time limit exceeded: total_timeout was over.");
        else if (!book->finished && begun > 0 && is_late(&a->m.answer.result))
                fusion_note(n, "total_timeout was over in cell %zu; the cells behind it were not run.", begun - 1);
        else if (!book->finished && !a->m.answer.result.stdout_truncated && begun > 0)
                fusion_note(n, "Python ended in cell %zu; the cells behind it were not run.", begun - 1);
        if (book->garbled || (!book->finished && a->m.answer.result.stdout_truncated))
                fusion_note(n, "The results of some cells are missing, because output was cut.");
}

/* The driver's result, in the form that SandboxFusion has for a command. If the notebook ran out of time, so did the
 * driver. */
static json_t *driver_json(const struct notebook *book, const struct answer *a)
{
        json_t *driver = fusion_run_result(a, book->driver.out, book->driver.err);

        if (driver && book->out_of_time) {
                (void)json_object_set_new(driver, "status", json_string("TimeLimitExceeded"));
                (void)json_object_set_new(driver, "return_code", json_null());
        }
        return driver;
}

json_t *fusion_answer_jupyter(const struct fusion_request *r, const struct answer *a)
{
        const hatchery_v1_Result *result = &a->m.answer.result;
        struct fusion_notes notes = { 0 };
        struct notebook book;
        json_t *answer = NULL;

        if (notebook_read(&book, r, a) == 0) {
                bool well = result->status == EXITED && result->exit_code == 0 && book.finished && !book.out_of_time;
                bool cancelled = result->status == hatchery_v1_Result_Status_CANCELLED;
                json_t *files = fusion_files(r, a, &notes);
                fusion_note_limits(&notes, a);
                note_cells(&notes, &book, a);
                answer =
                        json_pack("{s:s, s:o, s:o, s:o, s:n, s:o}", "status",
                                  cancelled ? "SandboxError"
                                  : well    ? "Success"
                                            : "Failed",
                                  "message", json_text(span_of_text(notes.text), true), "driver", driver_json(&book, a),
                                  "cells", cells_json(&book, a), "executor_pod_name", "files", files);
        }
        notebook_fini(&book);
        return answer;
}
