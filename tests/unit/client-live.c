/* Parts of `hatchery run` that need no server: output to our descriptors, Ctrl-C, our terminal with the guard that
 * restores it, and the request that the options make. */
#include "client/interrupt.h"
#include "client/options.h"
#include "client/outflow.h"
#include "client/program.h"
#include "client/terminal.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLOOD = 1 << 20, GUARD_MS = 20000 };

/* ---------------------------------------------------------------- output */

static void output_to_one_pipe_keeps_its_order_and_never_waits(void **state)
{
        (void)state;
        int pair[2];
        struct outflow f;
        OWN_MEM uint8_t *flood = malloc(FLOOD), *seen = malloc(FLOOD + 3);
        memset(flood, 'f', FLOOD);
        assert_return_code(pipe2(pair, O_CLOEXEC), errno);
        outflow_init(&f, pair[1], pair[1]);

        assert_int_equal(outflow_add(&f, OUTFLOW_OUT, span_of_text("o")), 0);
        assert_int_equal(outflow_add(&f, OUTFLOW_ERR, (struct span){ flood, FLOOD }), 0);
        assert_int_equal(outflow_add(&f, OUTFLOW_OUT, span_of_text("p\n")), 0);
        assert_true(outflow_awaited(&f) >= 0);
        assert_int_equal(f.settled + f.waiting, FLOOD + 3);
        assert_in_range(f.settled, 1, FLOOD);
        assert_int_equal(fcntl(pair[1], F_GETFL) & O_NONBLOCK, 0); /* other processes use this pipe, too */

        size_t len = 0;
        while (len < FLOOD + 3) {
                outflow_push(&f);
                ssize_t n = read(pair[0], seen + len, FLOOD + 3 - len);
                assert_true(n > 0);
                len += (size_t)n;
        }
        assert_int_equal(outflow_awaited(&f), -1);
        assert_int_equal(f.settled, FLOOD + 3);
        assert_int_equal(f.waiting, 0);
        assert_true(seen[0] == 'o' && memcmp(seen + 1, flood, FLOOD) == 0 && memcmp(seen + FLOOD + 1, "p\n", 2) == 0);
        assert_int_equal(f.last_stream, OUTFLOW_OUT);
        assert_int_equal(f.to[OUTFLOW_OUT].last_byte, '\n');
        assert_int_equal(f.to[OUTFLOW_ERR].last_byte, 'f');
        outflow_fini(&f);
        close(pair[0]);
        close(pair[1]);
}

static void output_that_nobody_reads_is_noticed_and_thrown_away(void **state)
{
        (void)state;
        int out[2], err[2];
        struct outflow f;
        uint8_t byte = 0;
        signal(SIGPIPE, SIG_IGN);
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), errno);
        assert_return_code(pipe2(err, O_CLOEXEC), errno);
        close(out[0]);
        outflow_init(&f, out[1], err[1]);
        assert_int_equal(outflow_add(&f, OUTFLOW_OUT, span_of_text("lost")), 0);
        assert_int_equal(f.to[OUTFLOW_OUT].error, EPIPE);
        assert_int_equal(outflow_add(&f, OUTFLOW_OUT, span_of_text("lost")), 0);
        assert_int_equal(outflow_add(&f, OUTFLOW_ERR, span_of_text("e")), 0);
        assert_int_equal(f.settled, 9);
        assert_int_equal(outflow_awaited(&f), -1);
        assert_int_equal(f.to[OUTFLOW_ERR].error, 0);
        assert_int_equal(read(err[0], &byte, 1), 1);
        assert_int_equal(byte, 'e');
        outflow_fini(&f);
        close(out[1]);
        close(err[0]);
        close(err[1]);
}

/* ---------------------------------------------------------------- Ctrl-C */

static void the_first_ctrl_c_goes_to_the_program_and_a_second_soon_after_cancels(void **state)
{
        (void)state;
        struct interrupt i = { 0 };
        const int64_t at = 50 * INTERRUPT_TWICE_US;
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_RUNNING, at), INTERRUPT_SIGNAL);
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_RUNNING, at + INTERRUPT_TWICE_US + 1), INTERRUPT_SIGNAL);
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_RUNNING, at + 2 * INTERRUPT_TWICE_US), INTERRUPT_CANCEL);
        assert_true(i.passed_on && i.cancelled);
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_RUNNING, at + 99 * INTERRUPT_TWICE_US), INTERRUPT_LEAVE);
}

static void without_a_program_the_first_ctrl_c_cancels(void **state)
{
        (void)state;
        struct interrupt i = { 0 };
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_WAITING, 1), INTERRUPT_CANCEL);
        assert_false(i.passed_on);
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_WAITING, 2), INTERRUPT_LEAVE);

        i = (struct interrupt){ 0 };
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_UNKNOWN, 1), INTERRUPT_SIGNAL);
        assert_int_equal(interrupt_missed(&i), INTERRUPT_CANCEL);
        assert_int_equal(interrupt_pressed(&i, INTERRUPT_UNKNOWN, 2), INTERRUPT_LEAVE);
}

/* ---------------------------------------------------------------- our terminal */

/* A terminal for the test: the master end of a pty, and the slave end, which is the terminal itself. */
struct pair {
        int master, slave;
        struct termios before;
};

static void pair_init(struct pair *p)
{
        const struct winsize size = { .ws_row = 31, .ws_col = 97 };
        assert_return_code(openpty(&p->master, &p->slave, NULL, NULL, &size), errno);
        assert_return_code(tcgetattr(p->slave, &p->before), errno);
        p->before.c_cc[VERASE] = 'X'; /* a value that no default has */
        assert_return_code(tcsetattr(p->slave, TCSANOW, &p->before), errno);
}

static void pair_fini(struct pair *p)
{
        close(p->master);
        close(p->slave);
}

static bool is_as_before(const struct pair *p)
{
        struct termios now;
        assert_return_code(tcgetattr(p->slave, &now), errno);
        return now.c_lflag == p->before.c_lflag && now.c_iflag == p->before.c_iflag &&
               now.c_oflag == p->before.c_oflag && memcmp(now.c_cc, p->before.c_cc, sizeof now.c_cc) == 0;
}

static void a_terminal_is_made_raw_and_restored(void **state)
{
        (void)state;
        struct pair p;
        struct terminal t;
        struct err e = { 0 };
        pair_init(&p);
        assert_int_equal(terminal_init(&t, p.slave, &e), 0);
        assert_true(is_as_before(&p));
        struct terminal_size size = terminal_size(&t);
        assert_int_equal(size.rows, 31);
        assert_int_equal(size.columns, 97);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(terminal_make_raw(&t, &e), 0);
                assert_int_equal(terminal_make_raw(&t, &e), 0);
                struct termios now;
                assert_return_code(tcgetattr(p.slave, &now), errno);
                assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
                terminal_restore(&t);
                assert_true(is_as_before(&p));
        }
        assert_int_equal(terminal_make_raw(&t, &e), 0);
        terminal_fini(&t);
        terminal_fini(&t);
        assert_true(is_as_before(&p));
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* the guard has ended */

        const struct winsize none = { 0 };
        assert_return_code(ioctl(p.slave, TIOCSWINSZ, &none), errno);
        assert_int_equal(terminal_size(&t).rows, 24);
        assert_int_equal(terminal_size(&t).columns, 80);
        pair_fini(&p);
}

static void what_is_no_terminal_is_refused(void **state)
{
        (void)state;
        struct terminal t;
        struct err e = { 0 };
        OWN_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(terminal_init(&t, null, &e), -ENOTTY);
        terminal_fini(&t);
}

/* Starts a session on the terminal, as a shell does. A process in the session's foreground calls act, and then kills
 * itself with SIGKILL. The session lasts until end_session. */
static int begin_session(void (*act)(const struct pair *p, struct terminal *t), const struct pair *p)
{
        int hold[2], dead[2];
        uint8_t byte;
        assert_return_code(pipe2(hold, O_CLOEXEC), errno);
        assert_return_code(pipe2(dead, O_CLOEXEC), errno);
        if (fork() == 0) {
                close(hold[1]);
                signal(SIGTTOU, SIG_IGN);
                setsid();
                ioctl(p->slave, TIOCSCTTY, 0);
                pid_t pid = fork();
                if (pid == 0) {
                        struct terminal t;
                        setpgid(0, 0);
                        tcsetpgrp(p->slave, getpid());
                        if (terminal_init(&t, p->slave, NULL) == 0)
                                act(p, &t);
                        raise(SIGKILL);
                }
                waitpid(pid, NULL, 0);
                byte = (uint8_t)write(dead[1], "d", 1);
                (void)!read(hold[0], &byte, 1); /* until the test has looked */
                _exit(0);
        }
        close(hold[0]);
        assert_int_equal(read(dead[0], &byte, 1), 1);
        close(dead[0]);
        close(dead[1]);
        return hold[1];
}

static void end_session(int hold)
{
        close(hold);
        wait(NULL);
}

static void make_raw(const struct pair *p, struct terminal *t)
{
        (void)p;
        terminal_make_raw(t, NULL);
}

static void make_raw_and_restore(const struct pair *p, struct terminal *t)
{
        terminal_make_raw(t, NULL);
        terminal_restore(t);
        struct termios others = p->before;
        others.c_cc[VERASE] = 'Y';
        tcsetattr(p->slave, TCSANOW, &others);
}

/* The shell becomes the terminal's foreground process, as it does when a job stops. */
static void make_raw_and_lose_it(const struct pair *p, struct terminal *t)
{
        terminal_make_raw(t, NULL);
        tcsetpgrp(p->slave, getppid());
}

static bool comes_back(const struct pair *p, int ms)
{
        for (int64_t end = clock_ms() + ms; clock_ms() < end; poll(NULL, 0, 5))
                if (is_as_before(p))
                        return true;
        return is_as_before(p);
}

static void the_guard_restores_the_terminal_of_a_process_that_is_killed(void **state)
{
        (void)state;
        struct pair p;
        pair_init(&p);
        int session = begin_session(make_raw, &p);
        assert_true(comes_back(&p, GUARD_MS));
        end_session(session);
        pair_fini(&p);
}

static void the_guard_leaves_a_terminal_alone_that_others_have_now(void **state)
{
        (void)state;
        void (*const acts[])(const struct pair *p, struct terminal *t) = { make_raw_and_restore, make_raw_and_lose_it };
        for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
                struct pair p;
                pair_init(&p);
                int session = begin_session(acts[i], &p);
                assert_false(comes_back(&p, 200));
                end_session(session);
                pair_fini(&p);
        }
}

static void the_guard_holds_nothing_of_ours(void **state)
{
        (void)state;
        struct pair p;
        struct terminal t;
        int held[2];
        pair_init(&p);
        assert_return_code(pipe2(held, O_CLOEXEC), errno);
        assert_int_equal(terminal_init(&t, p.slave, NULL), 0);
        close(held[1]);
        struct pollfd end = { .fd = held[0], .events = POLLIN };
        assert_int_equal(poll(&end, 1, GUARD_MS), 1); /* else a reader of our output would wait for the guard's end */
        terminal_fini(&t);
        close(held[0]);
        pair_fini(&p);
}

/* ---------------------------------------------------------------- the request */

enum { MAX_WORDS = 32 };

static void make(struct program *p, struct options *o, const char *const *words)
{
        char *argv[MAX_WORDS] = { 0 };
        struct err e = { 0 };
        int argc = 0;
        for (; words[argc]; argc++)
                argv[argc] = (char *)(uintptr_t)words[argc];
        assert_int_equal(options_parse(o, COMMAND_RUN, argc, argv, &e), 0);
        assert_int_equal(program_init(p, o, &e), 0);
}

#define MAKE(p, o, ...) make(p, o, (const char *const[]){ "run", __VA_ARGS__, NULL })

static void unmake(struct program *p, struct options *o)
{
        program_fini(p);
        options_fini(o);
}

static void words_behind_the_dashes_are_the_interpreters_where_there_is_no_program(void **state)
{
        (void)state;
        struct options o;
        struct program p;
        const struct submission *x = &p.request.execute;

        MAKE(&p, &o, "-l", "lua", "--interpreter-arg", "-W", "--", "-e", "print(1)");
        assert_int_equal(x->n_interpreter_args, 3);
        assert_span_text(x->interpreter_args[0], "-W");
        assert_span_text(x->interpreter_args[1], "-e");
        assert_span_text(x->interpreter_args[2], "print(1)");
        assert_int_equal(x->n_args, 0);
        assert_false(x->has_code);
        assert_span_text(x->language, "lua");
        unmake(&p, &o);

        MAKE(&p, &o, "-e", "1", "--interpreter-arg=-O", "--interpreter", "/usr/bin/python3.11", "--", "-x");
        assert_int_equal(x->n_interpreter_args, 1);
        assert_span_text(x->interpreter_args[0], "-O");
        assert_span_text(x->interpreter, "/usr/bin/python3.11");
        assert_int_equal(x->n_args, 1);
        assert_span_text(x->args[0], "-x");
        unmake(&p, &o);
}

static void input_is_live_only_where_it_is_asked_for(void **state)
{
        (void)state;
        struct options o;
        struct program p;
        const struct submission *x = &p.request.execute;

        MAKE(&p, &o, "-e", "1");
        assert_true(x->stream && !x->live_input && !x->has_terminal);
        assert_int_equal(x->n_env, 0);
        unmake(&p, &o);
        MAKE(&p, &o, "-i", "-e", "1");
        assert_true(x->stream && x->live_input && !x->has_terminal);
        unmake(&p, &o);
        MAKE(&p, &o, "-i", "-e", "1", "--json");
        assert_true(!x->stream && x->live_input);
        unmake(&p, &o);
}

static void a_terminal_is_named_as_ours_is(void **state)
{
        (void)state;
        struct options o;
        struct program p;
        const struct submission *x = &p.request.execute;

        setenv("TERM", "xterm-test", 1);
        MAKE(&p, &o, "-it", "-l", "python");
        assert_true(x->stream && x->live_input && x->has_terminal);
        assert_int_equal(x->n_files + x->n_interpreter_args + x->n_args, 0);
        assert_int_equal(x->n_env, 1);
        assert_span_text(x->env[0].name, "TERM");
        assert_span_text(x->env[0].value, "xterm-test");
        unmake(&p, &o);

        MAKE(&p, &o, "-t", "--env", "TERM=dumb");
        assert_span_text(x->language, "python");
        assert_int_equal(x->n_env, 1);
        assert_span_text(x->env[0].value, "dumb");
        unmake(&p, &o);

        unsetenv("TERM");
        MAKE(&p, &o, "-t");
        assert_int_equal(x->n_env, 0);
        unmake(&p, &o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(output_to_one_pipe_keeps_its_order_and_never_waits),
                cmocka_unit_test(output_that_nobody_reads_is_noticed_and_thrown_away),
                cmocka_unit_test(the_first_ctrl_c_goes_to_the_program_and_a_second_soon_after_cancels),
                cmocka_unit_test(without_a_program_the_first_ctrl_c_cancels),
                cmocka_unit_test(a_terminal_is_made_raw_and_restored),
                cmocka_unit_test(what_is_no_terminal_is_refused),
                cmocka_unit_test(the_guard_restores_the_terminal_of_a_process_that_is_killed),
                cmocka_unit_test(the_guard_leaves_a_terminal_alone_that_others_have_now),
                cmocka_unit_test(the_guard_holds_nothing_of_ours),
                cmocka_unit_test(words_behind_the_dashes_are_the_interpreters_where_there_is_no_program),
                cmocka_unit_test(input_is_live_only_where_it_is_asked_for),
                cmocka_unit_test(a_terminal_is_named_as_ours_is),
        };
        return cmocka_run_group_tests_name("client-live", tests, NULL, NULL);
}
