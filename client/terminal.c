/* Raw mode and back: see terminal.h. */
#include "client/terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_ROWS = 24, USUAL_COLUMNS = 80 };

int terminal_init(struct terminal *t, int fd, struct err *e)
{
        *t = (struct terminal){ .fd = fd, .guard = { .channel = -1 } };
        if (tcgetattr(fd, &t->before) < 0)
                return err_set(e, errno, "ask the terminal for its attributes");
        return guard_start(&t->guard, fd, &t->before, e);
}

void terminal_fini(struct terminal *t)
{
        terminal_restore(t);
        if (t->guard.pid > 0)
                guard_stop(&t->guard);
}

int terminal_make_raw(struct terminal *t, struct err *e)
{
        struct termios raw = t->before;

        if (t->is_raw)
                return 0;
        cfmakeraw(&raw);
        guard_tell(&t->guard, true);
        t->is_raw = true;
        /* TCSANOW, because a terminal that takes no output would make a wait for its output endless. */
        if (tcsetattr(t->fd, TCSANOW, &raw) < 0)
                return err_set(e, errno, "put the terminal into raw mode");
        return 0;
}

void terminal_restore(struct terminal *t)
{
        if (!t->is_raw)
                return;
        tcsetattr(t->fd, TCSANOW, &t->before); /* fails only if the terminal is gone */
        t->is_raw = false;
        guard_tell(&t->guard, false);
}

struct terminal_size terminal_size(const struct terminal *t)
{
        struct winsize size;
        if (ioctl(t->fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
                return (struct terminal_size){ USUAL_ROWS, USUAL_COLUMNS };
        return (struct terminal_size){ size.ws_row, size.ws_col };
}
