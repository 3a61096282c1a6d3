/* Attacks for which an interpreter is too slow or too polite. The tests send this program as a file of a request, and
 * run it as `./attack NAME [NUMBER...]`. It is static, so that it runs in any sandbox. Each attack goes on until its
 * work is done, or until the limit that it attacks ends it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 4, MAX_FILES = 1024 };

static void burn(void)
{
        for (volatile uint64_t i = 0;; i++)
                ;
}

static void *burn_thread(void *nothing)
{
        (void)nothing;
        burn();
        return NULL;
}

static void *sleep_thread(void *nothing)
{
        (void)nothing;
        for (;;)
                pause();
        return NULL;
}

/* N threads that burn CPU time. */
static void threads(const long *n)
{
        for (long i = 1; i < n[0]; i++) {
                pthread_t thread;
                if (pthread_create(&thread, NULL, burn_thread, NULL) != 0)
                        exit(1);
        }
        burn();
}

/* N daemons, twice forked and in sessions of their own, that burn CPU time while their parent sleeps. */
static void daemons(const long *n)
{
        for (long i = 0; i < n[0]; i++) {
                if (fork() != 0)
                        continue;
                setsid();
                if (fork() == 0)
                        burn();
                _exit(0);
        }
        for (;;)
                pause();
}

/* A chain of processes: each burns for N milliseconds of CPU time, starts the next and ends. The first one sleeps. */
static void relay(const long *n)
{
        if (fork() > 0)
                for (;;)
                        pause();
        for (;;) {
                struct timespec t;
                do
                        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
                while (t.tv_sec == 0 && t.tv_nsec < n[0] * 1000000);
                while (fork() > 0)
                        _exit(0);
        }
}

static void forks(const long *n)
{
        (void)n;
        for (;;)
                fork();
}

static int sleep_process(void *nothing)
{
        sleep_thread(nothing);
        return 0;
}

/* Every child suspends its parent as vfork does. Only SIGKILL ends a suspended parent. */
static void vforks(const long *n)
{
        static char room[65536];
        (void)n;
        for (;;)
                if (fork() == 0)
                        clone(sleep_process, room + sizeof room, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

static void sessions(const long *n)
{
        (void)n;
        for (;;) {
                if (fork() != 0)
                        continue;
                setsid();
                for (int number = 1; number < NSIG; number++)
                        signal(number, SIG_IGN);
        }
}

/* Creates sleeping threads without end. When their number is at the limit, each further creation fails. */
static void many_threads(const long *n)
{
        (void)n;
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 16384);
        for (;;) {
                pthread_t thread;
                pthread_create(&thread, &small, sleep_thread, NULL);
        }
}

/* Processes that exec again and again, and fork each time. */
static void execs(const long *n)
{
        (void)n;
        for (;;) {
                fork();
                execl("./attack", "./attack", "execs", (char *)NULL);
        }
}

/* N processes. Each opens as many files as it may, and locks single bytes in them for M milliseconds of CPU time. The
 * arguments are N and M. Prints the number of locks of each process. */
static void locks(const long *n)
{
        for (long p = 0; p < n[0]; p++) {
                if (fork() != 0)
                        continue;
                int fd[MAX_FILES], files = 0;
                for (; files < MAX_FILES; files++) {
                        char name[64];
                        snprintf(name, sizeof name, "lock-%ld-%d", p, files);
                        fd[files] = open(name, O_CREAT | O_RDWR, 0600);
                        if (fd[files] < 0)
                                break;
                }
                long k = 0;
                for (; clock() < n[1] * (CLOCKS_PER_SEC / 1000); k++)
                        for (int i = 0; i < files; i++) {
                                struct flock lock = { .l_type = F_WRLCK, .l_start = (1000000000 - k) * 2, .l_len = 1 };
                                if (fcntl(fd[i], F_SETLK, &lock) < 0)
                                        _exit(1);
                        }
                printf("%ld\n", k * files);
                fflush(stdout);
                for (;;)
                        pause();
        }
        for (;;)
                pause();
}

static volatile uintptr_t deepest, top;

static void on_fault(int number)
{
        (void)number;
        char text[32];
        int len = snprintf(text, sizeof text, "%zu\n", (size_t)(top - deepest));
        if (write(1, text, (size_t)len) != len)
                _exit(1);
        _exit(0);
}

static int deeper(int depth)
{
        volatile char room[4096];
        room[0] = (char)depth;
        deepest = (uintptr_t)room;
        return deeper(depth + 1) + room[0];
}

/* Endless recursion; prints the size of the stack in bytes. */
static void stack(const long *n)
{
        (void)n;
        static char other[65536];
        stack_t alternative = { .ss_sp = other, .ss_size = sizeof other };
        struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
        sigaltstack(&alternative, NULL);
        sigaction(SIGSEGV, &action, NULL);
        char here;
        top = (uintptr_t)&here;
        deeper(0);
}

/* Maps one page N times. The places are so far apart that each needs a page table of its own. */
static void page_tables(const long *n)
{
        enum { STRIDE = 2 << 20 };
        int fd = memfd_create("page", 0);
        if (fd < 0 || ftruncate(fd, 4096) < 0)
                exit(1);
        for (long i = 0; i < n[0]; i++) {
                char *at = (char *)(((uintptr_t)1 << 40) + (uintptr_t)i * STRIDE);
                if (mmap(at, 4096, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED)
                        exit(1);
        }
}

/* Looks up N names that do not exist. The kernel remembers each of these names. */
static void names(const long *n)
{
        for (long i = 0; i < n[0]; i++) {
                char name[256];
                snprintf(name, sizeof name, "/usr/%0240ld", i);
                (void)access(name, F_OK);
        }
}

static const struct {
        const char *name;
        void (*run)(const long *n);
} attacks[] = {
        { "threads", threads },
        { "daemons", daemons },
        { "relay", relay },
        { "forks", forks },
        { "vforks", vforks },
        { "sessions", sessions },
        { "many-threads", many_threads },
        { "execs", execs },
        { "locks", locks },
        { "stack", stack },
        { "page-tables", page_tables },
        { "names", names },
};

int main(int argc, char **argv)
{
        long n[MAX_ARGUMENTS] = { 0 };
        for (int i = 2; i < argc && i - 2 < MAX_ARGUMENTS; i++)
                n[i - 2] = strtol(argv[i], NULL, 10);
        for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
                if (argc > 1 && strcmp(argv[1], attacks[i].name) == 0) {
                        attacks[i].run(n);
                        return 0;
                }
        fprintf(stderr, "there is no such attack\n");
        return 2;
}
