/* Files of a finished run: see collector.h. */
#include "pool/core/collector.h"

#include "pool/base/feed.h"
#include "pool/base/names.h"
#include "pool/base/timer.h"
#include "proto/base/clock.h"
#include "proto/base/files_note.h"
#include "proto/base/own.h"
#include "proto/base/utf8.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The other end itself stops after max_us. If it has not stopped GUARD_US later, the collector gives up. */
enum { GUARD_US = 1000000, MAX_PATH = 4096 };

/* Bounds of one batch of reading (time) and of one read (bytes), so that large files do not make other clients wait. */
enum { BATCH_US = 500, AT_ONCE = 256 << 10 };

struct collected {
        uint8_t *name;
        uint8_t *utf8_name; /* set if name is not UTF-8 */
        uint8_t *content;
};

struct collector {
        int sock;
        struct event readable, writable;
        struct timer guard;
        void (*done)(void *arg);
        void *arg;

        uint8_t *question;
        struct feed feed;

        /* How much the other end may still send (left), and how much may still be kept (keep). left includes the given
         * files, since they may come back unchanged. */
        uint64_t files_left, bytes_left;
        uint64_t keep_files, keep_bytes;
        uint64_t kept_bytes;
        struct file_span *given; /* sorted by name */
        size_t n_given;
        struct file_span *files;
        struct collected *owned;
        size_t n, room;

        /* The record being read: header, then name, then content. */
        struct collect_record record;
        size_t record_have, name_have;
        uint64_t content_have;
        struct collected current;
        const struct file_span *like; /* the given file that the read file equals so far; NULL: none */

        bool ended, broken;
        enum collect_reason reason, missed; /* why files are missing: reported by the other end; found here */
};

static void free_collected(struct collected *f)
{
        free(f->name);
        free(f->utf8_name);
        free(f->content);
        *f = (struct collected){ 0 };
}

void collector_free(struct collector *c)
{
        if (!c)
                return;
        event_del(&c->readable);
        event_del(&c->writable);
        timer_stop(&c->guard);
        own_close(&c->sock);
        feed_fini(&c->feed);
        free(c->question);
        free(c->given);
        for (size_t i = 0; i < c->n; i++)
                free_collected(&c->owned[i]);
        free_collected(&c->current);
        free(c->files);
        free(c->owned);
        free(c);
}

static void finish(struct collector *c, bool broken)
{
        c->broken = broken;
        event_del(&c->readable);
        event_del(&c->writable);
        timer_stop(&c->guard);
        c->done(c->arg);
}

/* ---------------------------------------------------------------- records */

/* A copy in which each byte that is not part of a UTF-8 character becomes U+FFFD. */
static uint8_t *utf8_copy(const uint8_t *name, size_t len, size_t *out_len)
{
        static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd };
        uint8_t *out = malloc(3 * len + 1);
        size_t at = 0, n = 0;

        while (out && at < len) {
                size_t good = utf8_prefix(name + at, len - at);
                memcpy(out + n, name + at, good);
                n += good;
                at += good;
                if (at < len) {
                        memcpy(out + n, replacement, sizeof replacement);
                        n += sizeof replacement;
                        at++;
                }
        }
        *out_len = n;
        return out;
}

static bool record_is_sane(const struct collector *c)
{
        const struct collect_record *r = &c->record;
        if (r->kind == COLLECT_END)
                return r->reason <= COLLECT_UNREADABLE;
        return r->kind == COLLECT_FILE && r->name_len > 0 && r->name_len <= MAX_PATH && r->size <= c->bytes_left &&
               c->files_left > 0;
}

/* ---------------------------------------------------------------- given files */

static int compare_names(const void *a, const void *b)
{
        const struct span x = ((const struct file_span *)a)->name, y = ((const struct file_span *)b)->name;
        int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
        return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

/* The name is complete: looks for a given file of that name. */
static void look_up(struct collector *c)
{
        const struct file_span key = { .name = { c->current.name, c->record.name_len } };
        const struct file_span *f =
                c->n_given > 0 ? bsearch(&key, c->given, c->n_given, sizeof *c->given, compare_names) : NULL;

        c->like = f && f->content.len == c->record.size && f->mode == (c->record.mode & 0777) ? f : NULL;
}

/* Compares piece by piece, so that a large file makes no client wait. */
static void compare_content(struct collector *c, size_t n)
{
        if (c->like && memcmp(c->like->content.data + c->content_have, c->current.content + c->content_have, n) != 0)
                c->like = NULL;
}

static int take_given(struct collector *c, const struct collector_task *task, struct err *e)
{
        if (task->n_given == 0)
                return 0;
        c->given = malloc(task->n_given * sizeof *c->given);
        if (!c->given)
                return err_set(e, ENOMEM, "the files that were given");
        memcpy(c->given, task->given, task->n_given * sizeof *c->given);
        c->n_given = task->n_given;
        qsort(c->given, c->n_given, sizeof *c->given, compare_names);
        c->files_left += c->n_given;
        for (size_t i = 0; i < c->n_given; i++)
                c->bytes_left += c->given[i].content.len;
        return 0;
}

static void miss(struct collector *c, enum collect_reason reason)
{
        if (c->missed == COLLECT_COMPLETE)
                c->missed = reason;
}

/* True if this complete file is to be kept. */
static bool is_wanted(struct collector *c)
{
        if (c->like)
                return false;
        if (c->n == c->keep_files)
                miss(c, COLLECT_TOO_MANY);
        else if (c->record.size > c->keep_bytes)
                miss(c, COLLECT_TOO_LARGE);
        else
                return true;
        return false;
}

/* ---------------------------------------------------------------- files */

static int begin_file(struct collector *c)
{
        if (c->n == c->room) {
                size_t room = c->room ? 2 * c->room : 8;
                struct file_span *files = realloc(c->files, room * sizeof *files);
                if (files)
                        c->files = files;
                struct collected *owned = realloc(c->owned, room * sizeof *owned);
                if (owned)
                        c->owned = owned;
                if (!files || !owned)
                        return -ENOMEM;
                c->room = room;
        }
        c->current.name = malloc(c->record.name_len);
        c->current.content = malloc(c->record.size ? (size_t)c->record.size : 1);
        return c->current.name && c->current.content ? 0 : -ENOMEM;
}

static void next_record(struct collector *c)
{
        c->files_left--;
        c->bytes_left -= c->record.size;
        c->record_have = c->name_have = 0;
        c->content_have = 0;
        c->like = NULL;
}

static int end_file(struct collector *c)
{
        struct span name = { c->current.name, c->record.name_len };
        struct file_span f = { .name = name, .mode = c->record.mode & 0777 };

        /* Only the form is checked: a file may have a longer name than a request allows, or one that is not UTF-8. */
        if (name.data[0] == '/' || memchr(name.data, '\0', name.len))
                return -EPROTO;
        if (!is_wanted(c)) {
                free_collected(&c->current);
                next_record(c);
                return 0;
        }
        if (utf8_prefix(name.data, name.len) < name.len) {
                size_t len;
                c->current.utf8_name = utf8_copy(name.data, name.len, &len);
                if (!c->current.utf8_name)
                        return -ENOMEM;
                f.raw_name = name;
                f.name = (struct span){ c->current.utf8_name, len };
        }
        f.content = (struct span){ c->current.content, (size_t)c->record.size };
        c->keep_bytes -= c->record.size;
        c->kept_bytes += c->record.size + name.len;
        c->files[c->n] = f;
        c->owned[c->n++] = c->current;
        c->current = (struct collected){ 0 };
        next_record(c);
        return 0;
}

/* Sets *at to the place of the next bytes, and returns how many bytes are wanted there; 0 after the end. */
static size_t next_room(struct collector *c, uint8_t **at)
{
        if (c->record_have < sizeof c->record) {
                *at = (uint8_t *)&c->record + c->record_have;
                return sizeof c->record - c->record_have;
        }
        if (c->name_have < c->record.name_len) {
                *at = c->current.name + c->name_have;
                return c->record.name_len - c->name_have;
        }
        *at = c->current.content + c->content_have;
        return (size_t)(c->record.size - c->content_have);
}

static int took(struct collector *c, size_t n)
{
        if (c->record_have < sizeof c->record) {
                c->record_have += n;
                if (c->record_have < sizeof c->record)
                        return 0;
                if (!record_is_sane(c))
                        return -EPROTO;
                if (c->record.kind == COLLECT_END) {
                        c->ended = true;
                        c->reason = (enum collect_reason)c->record.reason;
                        return 0;
                }
                return begin_file(c);
        }
        if (c->name_have < c->record.name_len) {
                c->name_have += n;
                if (c->name_have == c->record.name_len)
                        look_up(c);
        } else {
                compare_content(c, n);
                c->content_have += n;
        }
        return c->name_have == c->record.name_len && c->content_have == c->record.size ? end_file(c) : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct collector *c = arg;
        const int64_t until = clock_us() + BATCH_US;

        do {
                uint8_t *at;
                size_t wanted = next_room(c, &at), room = wanted < AT_ONCE ? wanted : AT_ONCE;
                ssize_t n = recv(fd, at, room, 0);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0 || took(c, (size_t)n) < 0) {
                        finish(c, true);
                        return;
                }
        } while (!c->ended && clock_us() < until);
        if (c->ended)
                finish(c, false);
}

/* ---------------------------------------------------------------- the request */

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct collector *c = arg;
        int r = feed_write(&c->feed, fd, NULL);

        if (r == FEED_MORE && event_add(&c->writable, NULL) < 0)
                shutdown(c->sock, SHUT_RDWR);
        /* If writing failed, on_readable sees the end of the stream. */
}

static void on_guard(void *arg)
{
        finish(arg, true);
}

static int ask(struct collector *c, const struct collector_task *task, struct err *e)
{
        struct collect_request q = {
                .max_files = c->files_left > UINT32_MAX ? UINT32_MAX : (uint32_t)c->files_left,
                .max_bytes = c->bytes_left,
                .max_us = (uint64_t)task->max_us,
        };
        for (size_t i = 0; i < task->n_globs; i++)
                q.patterns_size += (uint32_t)task->globs[i].len + 1;

        size_t size = sizeof q + q.patterns_size;
        c->question = malloc(size);
        if (!c->question)
                return err_set(e, ENOMEM, "the patterns of files");
        memcpy(c->question, &q, sizeof q);
        uint8_t *at = c->question + sizeof q;
        for (size_t i = 0; i < task->n_globs; i++) {
                memcpy(at, task->globs[i].data, task->globs[i].len);
                at += task->globs[i].len;
                *at++ = '\0';
        }
        int r = feed_init(&c->feed, 1, e);
        if (r == 0)
                feed_add(&c->feed, c->question, size);
        return r;
}

int collector_new(struct collector **out, struct event_base *base, const struct collector_task *task,
                  void (*done)(void *arg), void *arg, int *sandbox_end, struct err *e)
{
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_set(e, errno, "a socket pair for files");
        OWN_FD int theirs = pair[1];

        struct collector *c = calloc(1, sizeof *c);
        if (!c) {
                close(pair[0]);
                return err_set(e, ENOMEM, "collecting files");
        }
        c->sock = pair[0];
        c->done = done;
        c->arg = arg;
        c->files_left = c->keep_files = task->max_files;
        c->bytes_left = c->keep_bytes = task->max_bytes;
        if (event_assign(&c->readable, base, c->sock, EV_READ | EV_PERSIST, on_readable, c) < 0 ||
            event_assign(&c->writable, base, c->sock, EV_WRITE, on_writable, c) < 0 ||
            timer_init(&c->guard, base, LOOP_CLIENTS, on_guard, c) < 0) {
                close(c->sock);
                free(c);
                return err_say(e, EIO, "events for files");
        }
        int r = take_given(c, task, e);
        if (r == 0)
                r = ask(c, task, e);
        if (r == 0 && (evutil_make_socket_nonblocking(c->sock) < 0 || event_add(&c->readable, NULL) < 0 ||
                       timer_set(&c->guard, task->max_us + GUARD_US) < 0))
                r = err_say(e, EIO, "the socket for files can't be watched");
        if (r < 0) {
                collector_free(c);
                return r;
        }
        on_writable(c->sock, EV_WRITE, c);
        *sandbox_end = own_steal_fd(&theirs);
        *out = c;
        return 0;
}

/* ---------------------------------------------------------------- results */

struct file_span *collector_files(struct collector *c, size_t *n)
{
        *n = c->n;
        return c->files;
}

uint64_t collector_weight(const struct collector *c)
{
        return sizeof *c + c->room * (sizeof *c->files + sizeof *c->owned) + c->kept_bytes;
}

const char *collector_note(const struct collector *c)
{
        static const char *const notes[] = {
                [COLLECT_COMPLETE] = NULL,
                [COLLECT_TOO_MANY] = FILES_NOTE_TOO_MANY,
                [COLLECT_TOO_LARGE] = FILES_NOTE_TOO_LARGE,
                [COLLECT_TOO_DEEP] = FILES_NOTE_TOO_DEEP,
                [COLLECT_TOO_LONG] = FILES_NOTE_TOO_LONG,
                [COLLECT_UNREADABLE] = FILES_NOTE_UNREADABLE,
        };
        if (c->broken)
                return FILES_NOTE_BROKEN;
        return notes[c->reason != COLLECT_COMPLETE ? c->reason : c->missed];
}

bool collector_is_broken(const struct collector *c)
{
        return c->broken;
}
