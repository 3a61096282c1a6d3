/* Runs on terminals: the size, what is typed at the end of input, a terminal that is closed and opened again, and what
 * is left in it after the death. The terminals are the machine's. */
#include "pool/core/execution.h"
#include "tests/core/scene.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static const struct front_wish wish = {
        .language = "fork",
        .terminal = true,
        .streams = true,
        .live_input = true,
        .memory_bytes = 64 << 20,
};

/* The kernel hands on what is written to a terminal a little later. */
enum { PATIENCE_MS = 10000 };

static void assert_typed(struct scene *t, const char *want)
{
        char bytes[64];
        size_t n = 0;

        for (int i = 0; i < PATIENCE_MS && n < strlen(want); i++) {
                world_turn(&t->w);
                ssize_t got = read(t->s->in, bytes + n, sizeof bytes - 1 - n);
                n += got > 0 ? (size_t)got : 0;
                usleep(1000);
        }
        bytes[n] = '\0';
        assert_string_equal(bytes, want);
}

static void assert_told(struct scene *t, uint64_t want)
{
        for (int i = 0; i < PATIENCE_MS && t->f->told[STREAM_STDOUT] < want; i++) {
                world_turn(&t->w);
                usleep(1000);
        }
        assert_int_equal(t->f->told[STREAM_STDOUT], want);
}

static void assert_size(const struct scene *t, unsigned rows, unsigned columns)
{
        struct winsize w;
        assert_int_equal(ioctl(t->s->in, TIOCGWINSZ, &w), 0);
        assert_int_equal(w.ws_row, rows);
        assert_int_equal(w.ws_col, columns);
}

static void begin(struct scene *t)
{
        scene_submit(t, &wish);
        world_settle(&t->w);
        scene_find(t);
        assert_non_null(t->s);
        assert_int_equal(t->f->execution->run.state, RUN_RUNNING);
        assert_true(t->s->has_terminal);
        fake_read_job(t->s);
        world_turn(&t->w);
}

static void finish(struct scene *t)
{
        fake_exit(t->z, t->number, 0, false);
        world_settle(&t->w);
        assert_int_equal(t->f->finished, 1);
}

/* ---------------------------------------------------------------- its sandbox */

static void only_the_run_with_a_terminal_gets_one(void **state)
{
        struct scene *t = *state;
        const struct front_wish plain = { .language = "fork" };

        begin(t);
        finish(t);
        for (unsigned i = 0; i < WORLD_SLOTS; i++)
                assert_false(t->z->slot[i].state == FAKE_WARM && t->z->slot[i].has_terminal);
        scene_submit(t, &plain);
        assert_false(t->s->has_terminal);
        finish(t);
}

/* The limits come with the order, and the bound on runs counts the slot all the while. */
static void its_sandbox_is_made_with_its_limits(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &wish);
        struct slot *slot = t->f->execution->run.slot;
        struct zygote *z = slot->zygote;
        assert_int_equal(z->slots.busy, 1);
        for (bool made = false; !made;) {
                made = t->z->pending[0].order.kind == ORDER_MAKE && t->z->pending[0].order.slot == t->number;
                if (made) {
                        assert_int_equal(t->z->pending[0].order.terminal, 1);
                        assert_int_equal(t->z->pending[0].order.urgent, 1);
                        assert_int_equal(t->z->pending[0].order.memory_bytes, 64 << 20);
                        assert_int_equal(slot->state, SLOT_REMAKING);
                }
                assert_int_equal(z->slots.busy, 1);
                fake_answer(t->z, 0);
        }
        assert_int_equal(slot->state, SLOT_RUNNING);
        finish(t);
        assert_int_equal(z->slots.busy, 0);
}

/* ---------------------------------------------------------------- its size */

static void its_size_is_there_before_its_job(void **state)
{
        struct scene *t = *state;

        scene_submit(t, &wish);
        assert_int_equal(execution_resize(t->f->execution, &(struct terminal_size){ 30, 100 }), 0);
        world_settle(&t->w);
        scene_find(t);
        assert_size(t, 30, 100);
        assert_int_equal(execution_resize(t->f->execution, &(struct terminal_size){ 1, TERMINAL_MAX }), 0);
        assert_size(t, 1, TERMINAL_MAX);
        finish(t);
}

static void sizes_out_of_bounds_are_refused(void **state)
{
        struct scene *t = *state;
        static const struct terminal_size none[] = {
                { 0, 80 }, { 24, 0 }, { TERMINAL_MAX + 1, 80 }, { 24, TERMINAL_MAX + 1 }
        };

        begin(t);
        for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
                assert_int_equal(execution_resize(t->f->execution, &none[i]), -EINVAL);
        assert_size(t, 24, 80);
        finish(t);

        const struct front_wish plain = { .language = "fork" };
        scene_submit(t, &plain);
        assert_int_equal(execution_resize(t->f->execution, &(struct terminal_size){ 24, 80 }), -EINVAL);
        finish(t);
}

/* ---------------------------------------------------------------- its input */

static void the_end_of_input_is_typed(void **state)
{
        struct scene *t = *state;
        static const struct {
                const char *typed, *read;
        } rows[] = {
                { "", "\x04" },           { "a\n", "a\n\x04" }, { "a\r", "a\r\x04" },
                { "a\x04", "a\x04\x04" }, { "a", "a\x04\x04" },
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                begin(t);
                assert_int_equal(execution_input(t->f->execution, span_of_text(rows[i].typed), true), 0);
                assert_typed(t, rows[i].read);
                assert_int_equal(execution_input(t->f->execution, span_of_text("x"), false), -EINVAL);
                fake_write(t->s, false, 10); /* it reads and writes on */
                assert_told(t, 10);
                finish(t);
        }
}

static void an_end_that_comes_alone_ends_the_line_before(void **state)
{
        struct scene *t = *state;

        begin(t);
        assert_int_equal(execution_input(t->f->execution, span_of_text("a"), false), 0);
        assert_int_equal(execution_input(t->f->execution, span_of_text(""), true), 0);
        assert_typed(t, "a\x04\x04");
        finish(t);
}

/* ---------------------------------------------------------------- its output */

static void what_is_left_is_read_after_the_death(void **state)
{
        struct scene *t = *state;

        begin(t);
        fake_write(t->s, false, 3000);
        finish(t);
        assert_int_equal(t->f->told[STREAM_STDOUT], 3000);
        assert_int_equal(t->f->total[STREAM_STDOUT], 3000);
}

/* If no process has the terminal open, the kernel reports that again and again. So a timer looks at the terminal
 * instead. */
static void a_terminal_may_be_opened_again(void **state)
{
        struct scene *t = *state;
        char name[32];

        begin(t);
        assert_int_equal(ttyname_r(t->s->in, name, sizeof name), 0);
        close(t->s->in);
        close(t->s->out);
        t->s->in = t->s->out = -1;
        world_turn(&t->w); /* which ends */
        assert_int_equal(t->f->finished, 0);
        for (int i = 0; i < 10; i++)
                world_advance(SECOND / 20);
        t->s->out = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        assert_true(t->s->out >= 0);
        fake_write(t->s, false, 10);
        world_advance(SECOND / 20);
        assert_told(t, 10);
        finish(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(only_the_run_with_a_terminal_gets_one),
                TEST(its_sandbox_is_made_with_its_limits),
                TEST(its_size_is_there_before_its_job),
                TEST(sizes_out_of_bounds_are_refused),
                TEST(the_end_of_input_is_typed),
                TEST(an_end_that_comes_alone_ends_the_line_before),
                TEST(what_is_left_is_read_after_the_death),
                TEST(a_terminal_may_be_opened_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
