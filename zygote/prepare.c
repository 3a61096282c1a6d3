/* What a language makes once: see prepare.h. */
#include "zygote/prepare.h"

#include "proto/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        NOBODY = 65534,
        GUARD_MS = 300000, /* a precompiled header takes 2 s on an idle machine */
        PAUSE_MS = 10,
        MAX_WORDS = 64,
        WORD_SIZE = 1024,
        SAID_SIZE = 300, /* of what the command said last */
};

/* ---------------------------------------------------------------- the name of the result */

/* FNV-1a: tells results apart that one operator has made; nobody chooses them. */
static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
        const unsigned char *bytes = data;
        for (size_t i = 0; i < len; i++)
                hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
        return hash;
}

/* A program or a file that was replaced has another time or size. */
static uint64_t mix_word(uint64_t hash, const char *word)
{
        struct stat st;
        hash = mix(hash, word, strlen(word) + 1);
        if (word[0] == '/' && stat(word, &st) == 0) {
                hash = mix(hash, &st.st_mtim, sizeof st.st_mtim);
                hash = mix(hash, &st.st_size, sizeof st.st_size);
        }
        return hash;
}

/* The words with their places filled in. {prepared} differs from try to try, so it is no part of the name. */
static int expand(char *word, const char *text, const struct prepare *p, const char *prepared, struct err *e)
{
        static const char marks[2][12] = { "{prepared}", "{files}" };
        const char *values[2] = { prepared, p->files };
        size_t n = 0;

        while (*text) {
                const char *value = NULL;
                for (size_t i = 0; i < 2 && !value; i++)
                        if (values[i] && strncmp(text, marks[i], strlen(marks[i])) == 0) {
                                value = values[i];
                                text += strlen(marks[i]);
                        }
                size_t len = value ? strlen(value) : 1;
                if (n + len >= WORD_SIZE)
                        return err_say(e, E2BIG, "a word of the prepare command is longer than %d bytes", WORD_SIZE);
                memcpy(word + n, value ? value : text, len);
                text += value ? 0 : 1;
                n += len;
        }
        word[n] = '\0';
        return 0;
}

static int name_result(const struct prepare *p, char path[PREPARE_PATH_SIZE], struct err *e)
{
        uint64_t hash = UINT64_C(14695981039346656037);
        char word[WORD_SIZE] = "";
        for (char *const *w = p->command; *w; w++) {
                int r = expand(word, *w, p, "{prepared}", e);
                if (r < 0)
                        return r;
                hash = mix_word(hash, word);
        }
        for (char *const *w = p->env; w && *w; w++)
                hash = mix_word(hash, *w);
        snprintf(path, PREPARE_PATH_SIZE, "%s/prepared-%s-%016" PRIx64, p->cache, p->language, hash);
        return 0;
}

/* ---------------------------------------------------------------- making it */

static int become_nobody(void)
{
        const struct rlimit files = { 1024, 1024 }, none = { 0, 0 };
        if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
            setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
            setrlimit(RLIMIT_CORE, &none) < 0)
                return -errno;
        return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0; /* the change of user took it back */
}

static _Noreturn void run_command(const struct prepare *p, const char *directory, int out)
{
        static char words[MAX_WORDS][WORD_SIZE]; /* of a child that only executes */
        char *argv[MAX_WORDS + 1] = { NULL };
        struct err e = { 0 };
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
            close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
                _exit(126);
        for (size_t i = 0; p->command[i] && i < MAX_WORDS; i++) {
                if (expand(words[i], p->command[i], p, directory, &e) < 0) {
                        dprintf(2, "%s\n", e.text);
                        _exit(126);
                }
                argv[i] = words[i];
        }
        if (clearenv() != 0 || setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) < 0 ||
            setenv("LANG", "C.UTF-8", 1) < 0 || setenv("HOME", directory, 1) < 0 || setenv("TMPDIR", directory, 1) < 0)
                _exit(126);
        for (char *const *v = p->env; v && *v; v++)
                putenv(*v);
        umask(022);
        signal(SIGPIPE, SIG_DFL);
        int r = become_nobody();
        if (r < 0 || chdir(directory) < 0) {
                dprintf(2, "giving up rights: %s\n", strerror(r < 0 ? -r : errno));
                _exit(126);
        }
        if (!argv[0])
                _exit(127);
        execvp(argv[0], argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
}

static int64_t now_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads what the command says until its end, and keeps the end of it. False: it took too long. */
static bool listen_to(int from, int64_t until, char said[SAID_SIZE])
{
        size_t have = 0;
        for (;;) {
                char chunk[SAID_SIZE / 2];
                struct pollfd fd = { .fd = from, .events = POLLIN };
                int64_t left = until - now_ms();
                if (left <= 0)
                        return false;
                if (poll(&fd, 1, (int)left) <= 0)
                        continue;
                ssize_t n = read(from, chunk, sizeof chunk);
                if (n <= 0)
                        return true;
                size_t drop = have + (size_t)n >= SAID_SIZE ? have + (size_t)n - (SAID_SIZE - 1) : 0;
                memmove(said, said + drop, have - drop);
                have -= drop;
                memcpy(said + have, chunk, (size_t)n);
                have += (size_t)n;
                said[have] = '\0';
        }
}

/* One that has closed its streams may still be at work. It is left to be reaped. */
static bool wait_end(pid_t pid, int64_t until)
{
        siginfo_t end;
        for (int64_t left = until - now_ms();; left = until - now_ms()) {
                end.si_pid = 0;
                if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT | WNOHANG) == 0 && end.si_pid == pid)
                        return true;
                if (left <= 0)
                        return false;
                poll(NULL, 0, PAUSE_MS);
        }
}

static int make(const struct prepare *p, const char *directory, struct err *e)
{
        char said[SAID_SIZE] = "";
        int ends[2], status = 0;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        pid_t pid = fork();
        if (pid == 0)
                run_command(p, directory, ends[1]);
        close(ends[1]);
        if (pid < 0) {
                close(ends[0]);
                return err_set(e, errno, "fork");
        }
        int64_t until = now_ms() + GUARD_MS;
        bool ended = listen_to(ends[0], until, said) && wait_end(pid, until);
        close(ends[0]);
        kill(-pid, SIGKILL); /* what it left running, too; it is not reaped yet, so the number is still its group's */
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        size_t len = strlen(said);
        if (len > 0 && said[len - 1] == '\n')
                said[len - 1] = '\0';
        if (!ended)
                return err_say(e, ETIMEDOUT, "the prepare command of %s did not end: %s", p->language, said);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return err_say(e, EIO, "the prepare command of %s failed (wait status 0x%x): %s", p->language,
                               (unsigned)status, said);
        return 0;
}

/* ---------------------------------------------------------------- */

/* In a directory of somebody else's, somebody else may have prepared what is found. */
static int open_cache(const struct prepare *p, struct err *e)
{
        struct stat st;
        if (mkdir(p->cache, 0755) < 0 && errno != EEXIST)
                return err_set(e, errno, "make %s", p->cache);
        if (stat(p->cache, &st) < 0)
                return err_set(e, errno, "%s", p->cache);
        if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return err_say(e, EPERM, "%s must be root's, and nobody else may write to it", p->cache);
        return 0;
}

/* One file of the result; false: it stays what it is, and the result can't be used. A directory is taken before it is
 * read, so from then on nobody else changes what is in it. */
static bool take_over(const FTSENT *f)
{
        const struct stat *st = f->fts_statp;
        if (f->fts_info == FTS_DP)
                return true;
        if (f->fts_info != FTS_D && f->fts_info != FTS_F && f->fts_info != FTS_SL && f->fts_info != FTS_SLNONE) {
                errno = f->fts_errno ? f->fts_errno : EINVAL; /* what could not be read, a device, a pipe */
                return false;
        }
        if (st->st_uid != NOBODY && st->st_uid != geteuid()) {
                errno = EPERM; /* another name of somebody's file */
                return false;
        }
        if (lchown(f->fts_path, 0, 0) < 0)
                return false;
        mode_t mode = (st->st_mode & (S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH));
        return f->fts_info == FTS_SL || f->fts_info == FTS_SLNONE || mode == (st->st_mode & 07777) ||
               fchmodat(AT_FDCWD, f->fts_path, mode, 0) == 0;
}

/* What the command made becomes root's: nobody is the user of other services of this host, and of the next command. */
static int take_result(char *directory, struct err *e)
{
        char *roots[] = { directory, NULL };
        FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        int r = tree ? 0 : err_set(e, errno, "%s", directory);
        while (r == 0) {
                errno = 0;
                FTSENT *f = fts_read(tree);
                if (!f && errno == 0)
                        break;
                if (!f || !take_over(f))
                        r = err_set(e, errno, "taking over %s", f ? f->fts_path : directory);
        }
        if (tree)
                fts_close(tree);
        return r;
}

/* Removes what the command made so far; it is ours, below a name that we gave. */
static void remove_tree(const char *path)
{
        pid_t pid = fork();
        if (pid == 0) {
                execl("/bin/rm", "rm", "-rf", "--one-file-system", "--", path, (char *)NULL);
                _exit(127);
        }
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* What was being made when its maker was killed. No command lasts as long. */
static void remove_old_drafts(const struct prepare *p)
{
        char prefix[PREPARE_PATH_SIZE], path[PREPARE_PATH_SIZE];
        DIR *dir = opendir(p->cache);
        struct stat st;

        snprintf(prefix, sizeof prefix, "draft-%s-", p->language);
        for (struct dirent *d; dir && (d = readdir(dir));) {
                if (strncmp(d->d_name, prefix, strlen(prefix)) != 0 ||
                    snprintf(path, sizeof path, "%s/%s", p->cache, d->d_name) >= (int)sizeof path)
                        continue;
                if (lstat(path, &st) == 0 && time(NULL) - st.st_mtime > 2 * GUARD_MS / 1000)
                        remove_tree(path);
        }
        if (dir)
                closedir(dir);
}

int prepare_directory(const struct prepare *p, char path[PREPARE_PATH_SIZE], struct err *e)
{
        char draft[PREPARE_PATH_SIZE];
        int r = open_cache(p, e);
        if (r == 0)
                r = name_result(p, path, e);
        if (r < 0)
                return r;
        if (access(path, F_OK) == 0)
                return 0;

        remove_old_drafts(p);
        snprintf(draft, sizeof draft, "%s/draft-%s-XXXXXX", p->cache, p->language);
        if (!mkdtemp(draft))
                return err_set(e, errno, "a directory in %s", p->cache);
        log_info(p->log, "preparing %s, once: %s", p->language, path);
        r = chmod(draft, 0755) < 0 || chown(draft, NOBODY, NOBODY) < 0 ? err_set(e, errno, "%s", draft) : 0;
        if (r == 0)
                r = make(p, draft, e);
        if (r == 0)
                r = take_result(draft, e);
        if (r == 0 && rename(draft, path) < 0 && errno != ENOTEMPTY && errno != EEXIST)
                r = err_set(e, errno, "keep %s", path);
        if (access(draft, F_OK) == 0) /* it failed, or another server was faster */
                remove_tree(draft);
        return r;
}
