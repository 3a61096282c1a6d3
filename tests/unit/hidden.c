/* Memory that no child gets: zygote/hidden.h. */
#include "unit.h"

#include "zygote/hidden.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 4096, SEEN = 9, EMPTY = 0 };
static const char marker[] = "what only the zygote knows";

static bool holds_marker(const char *memory)
{
        return memcmp(memory, marker, sizeof marker) == 0;
}

/* Has a child of this process look at the memory; returns its wait status. */
static int look_in_child(const char *memory)
{
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
                (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
                _exit(holds_marker(memory) ? SEEN : EMPTY);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

static char *marked(void)
{
        char *memory = hidden_new(SIZE);
        assert_non_null(memory);
        memcpy(memory, marker, sizeof marker);
        return memory;
}

static void a_child_that_touches_it_dies(void **state)
{
        (void)state;
        char *memory = marked();
        int status = look_in_child(memory);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        assert_true(holds_marker(memory));
        hidden_free(memory, SIZE);
}

/* Makes MADV_DONTFORK succeed without an effect, as lang/javascript/node_embed.cc does. */
static int swallow_dontfork(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTFORK, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -1;
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* This test runs last, since its filter stays. */
static void where_the_kernel_is_not_asked_to_leave_it_out_it_is_empty(void **state)
{
        (void)state;
        assert_int_equal(swallow_dontfork(), 0);
        char *memory = marked();
        int status = look_in_child(memory);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EMPTY);
        hidden_free(memory, SIZE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_child_that_touches_it_dies),
                cmocka_unit_test(where_the_kernel_is_not_asked_to_leave_it_out_it_is_empty),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
