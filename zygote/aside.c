/* A life on a hidden stack: see aside.h. */
#include "zygote/aside.h"

#include "proto/base/stack.h"
#include "zygote/hidden.h"

#include <errno.h>
#include <stdbool.h>

/* Unused pages of the stack cost nothing. */
#define STACK_SIZE ((size_t)1 << 20)

struct aside {
        struct stack *stack;
        int (*life)(struct aside *a, void *context, struct err *e);
        void *context;
        struct err *e;
        int result;
        bool done;
        long (*act)(void *argument); /* the function to call outside */
        void *argument;
        long answer;
};

static void begin(void *context)
{
        struct aside *a = context;
        a->result = a->life(a, a->context, a->e);
        a->done = true;
}

static int run(struct aside *a, struct err *e)
{
        a->stack = stack_new(STACK_SIZE, begin, a, e);
        if (!a->stack)
                return -e->code;
        int r = stack_hide(a->stack);
        if (r < 0)
                return err_set(e, -r, "a hidden stack");
        for (stack_enter(a->stack); !a->done; stack_enter(a->stack))
                a->answer = a->act(a->argument);
        return a->result;
}

int aside_run(int (*life)(struct aside *a, void *context, struct err *e), void *context, struct err *e)
{
        struct aside *a = hidden_new(sizeof *a);
        if (!a)
                return err_set(e, errno, "hidden memory");
        *a = (struct aside){ .life = life, .context = context, .e = e };
        int r = run(a, e);
        stack_free(a->stack);
        hidden_free(a, sizeof *a);
        return r;
}

long aside_leave(struct aside *a, long (*act)(void *argument), void *argument)
{
        if (!a)
                return act(argument);
        a->act = act;
        a->argument = argument;
        stack_leave(a->stack);
        return a->answer;
}
