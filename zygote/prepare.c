/* Prepared files of a language: see prepare.h. */
#include "zygote/prepare.h"

#include "proto/base/clock.h"
#include "proto/base/fnv.h"
#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
        NOBODY = 65534,
        GUARD_MS = 300000, /* a precompiled header takes 2 s on an idle machine */
        PAUSE_MS = 10,
        MAX_WORDS = 64,
        WORD_SIZE = 1024,
        SAID_SIZE = 300, /* bytes kept of the end of the command's output */
        HASH_DIGITS = 16,
        KEPT_RESULTS =
                3, /* results kept of one language: for servers of several builds, and for the time before an upgrade */
        FORGOTTEN_S = 30 * 24 * 3600,
        MAX_RESULTS = 256,
};

/* ---------------------------------------------------------------- the name of the result */

/* Mixes in the time and size of the file that a word names: a replaced program or file has others. */
static uint64_t mix_word(uint64_t hash, const char *word)
{
        struct stat st;
        hash = fnv_add(hash, word, strlen(word) + 1);
        if (word[0] == '/' && stat(word, &st) == 0) {
                hash = fnv_add(hash, &st.st_mtim, sizeof st.st_mtim);
                hash = fnv_add(hash, &st.st_size, sizeof st.st_size);
        }
        return hash;
}

/* Fills in the placeholders of a word. {prepared} differs in every try, so it is not part of the name. */
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
        uint64_t hash = FNV_START;
        char word[WORD_SIZE] = "";
        for (char *const *w = p->command; *w; w++) {
                int r = expand(word, *w, p, "{prepared}", e);
                if (r < 0)
                        return r;
                hash = mix_word(hash, word);
        }
        for (char *const *w = p->env; w && *w; w++)
                hash = mix_word(hash, *w);
        if (p->identity)
                hash = fnv_add(hash, p->identity, strlen(p->identity));
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
        return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno
                                                             : 0; /* the change of user has cleared the signal */
}

static _Noreturn void run_command(const struct prepare *p, const char *directory, int out)
{
        static char words[MAX_WORDS][WORD_SIZE]; /* in a child that only calls exec */
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
                dprintf(2, "cannot drop privileges: %s\n", strerror(r < 0 ? -r : errno));
                _exit(126);
        }
        if (!argv[0])
                _exit(127);
        r = spawn_become(argv, environ);
        dprintf(2, "%s: %s\n", argv[0], strerror(-r));
        _exit(127);
}

/* Reads the command's output until its end, and keeps the last part. False: the command took too long. */
static bool listen_to(int from, int64_t until, char said[SAID_SIZE])
{
        size_t have = 0;
        for (;;) {
                char chunk[SAID_SIZE / 2];
                struct pollfd fd = { .fd = from, .events = POLLIN };
                int64_t left = until - clock_ms();
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

/* A command that has closed its streams may still be at work. It is not reaped here. */
static bool wait_end(pid_t pid, int64_t until)
{
        siginfo_t end;
        for (int64_t left = until - clock_ms();; left = until - clock_ms()) {
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
        int64_t until = clock_ms() + GUARD_MS;
        bool ended = listen_to(ends[0], until, said) && wait_end(pid, until);
        close(ends[0]);
        kill(-pid, SIGKILL); /* also kills its remaining children; it is not reaped yet, so the number is still that of
                              * its group */
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

/* In a directory of another user, another user may have prepared the files. */
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

/* Takes over one file of the result; false: it stays as it is, and the result can't be used. A directory is taken over
 * before it is read, so from then on no other user changes its contents. */
static bool take_over(const FTSENT *f)
{
        const struct stat *st = f->fts_statp;
        if (f->fts_info == FTS_DP)
                return true;
        if (f->fts_info != FTS_D && f->fts_info != FTS_F && f->fts_info != FTS_SL && f->fts_info != FTS_SLNONE) {
                errno = f->fts_errno ? f->fts_errno : EINVAL; /* an unreadable file, a device, a pipe */
                return false;
        }
        if (st->st_uid != NOBODY && st->st_uid != geteuid()) {
                errno = EPERM; /* it may be a second name of another user's file */
                return false;
        }
        if (lchown(f->fts_path, 0, 0) < 0)
                return false;
        mode_t mode = (st->st_mode & (S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH));
        return f->fts_info == FTS_SL || f->fts_info == FTS_SLNONE || mode == (st->st_mode & 07777) ||
               fchmodat(AT_FDCWD, f->fts_path, mode, 0) == 0;
}

/* Makes root the owner of the result: other services of this host, and the next command, also run as nobody. */
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

/* Removes the command's files; they belong to us, below a name that we gave. */
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

/* ---------------------------------------------------------------- results that no server needs */

/* Removes drafts that were being made, or removed, when their maker was killed. No command lasts as long. */
static void remove_old_drafts(const struct prepare *p)
{
        char path[PREPARE_PATH_SIZE];
        DIR *dir = opendir(p->cache);
        struct stat st;

        for (struct dirent *d; dir && (d = readdir(dir));)
                if (strncmp(d->d_name, "draft-", strlen("draft-")) == 0 &&
                    snprintf(path, sizeof path, "%s/%s", p->cache, d->d_name) < (int)sizeof path &&
                    lstat(path, &st) == 0 && time(NULL) - st.st_mtime > 2 * GUARD_MS / 1000)
                        remove_tree(path);
        if (dir)
                closedir(dir);
}

/* Holds a result, so that no server removes it as long as this process lives, and records its use. 1: held; 0: it is
 * not there. */
static int hold(const char *path, int *held, struct err *e)
{
        struct stat opened, named;
        OWN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0 || flock(fd, LOCK_SH) < 0 || fstat(fd, &opened) < 0)
                return err_set(e, errno, "hold %s", path);
        if (stat(path, &named) < 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev)
                return 0; /* another server is about to remove it */
        if (futimens(fd, NULL) < 0)
                return err_set(e, errno, "note the use of %s", path);
        *held = own_steal_fd(&fd);
        return 1;
}

/* Removes a result, unless a zygote of any server holds it. */
static void remove_result(const struct prepare *p, const char *name)
{
        char path[PREPARE_PATH_SIZE], draft[PREPARE_PATH_SIZE];
        if (snprintf(path, sizeof path, "%s/%s", p->cache, name) >= (int)sizeof path ||
            snprintf(draft, sizeof draft, "%s/draft-%s-XXXXXX", p->cache, p->language) >= (int)sizeof draft)
                return;
        OWN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !mkdtemp(draft))
                return;
        /* From here on no server finds it. */
        bool is_ours = rename(path, draft) == 0;
        own_close(&fd);
        fd = -1;
        remove_tree(draft);
        if (is_ours)
                log_info(p->log, "removed %s, which nobody needs any more", path);
}

struct result {
        char name[NAME_MAX + 1];
        struct timespec used;
};

/* "prepared-LANGUAGE-" and 16 digits; one language's name may begin with another's. */
static bool is_result(const char *name, const char *language)
{
        size_t len = strlen(name), of_language = strlen("prepared-") + strlen(language) + 1;
        if (strncmp(name, "prepared-", strlen("prepared-")) != 0 || len < strlen("prepared-") + 2 + HASH_DIGITS)
                return false;
        return !*language ||
               (len == of_language + HASH_DIGITS &&
                strncmp(name + strlen("prepared-"), language, strlen(language)) == 0 && name[of_language - 1] == '-');
}

static bool is_later(struct timespec a, struct timespec b)
{
        return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Keeps a few results of each language, but none that was unused for long: its language may have been removed. Results
 * beyond MAX_RESULTS are handled another time. */
static void remove_unused(const struct prepare *p)
{
        struct result *all = calloc(MAX_RESULTS, sizeof *all);
        DIR *dir = all ? opendir(p->cache) : NULL;
        struct stat st;
        size_t n = 0;

        for (struct dirent *d; dir && n < MAX_RESULTS && (d = readdir(dir));) {
                if (!is_result(d->d_name, "") || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                snprintf(all[n].name, sizeof all[n].name, "%s", d->d_name);
                all[n++].used = st.st_mtim;
        }
        for (size_t i = 0; i < n; i++) {
                size_t later = 0;
                for (size_t k = 0; k < n; k++)
                        later += is_result(all[k].name, p->language) && is_later(all[k].used, all[i].used);
                bool is_one_too_many = is_result(all[i].name, p->language) && later >= KEPT_RESULTS;
                if (is_one_too_many || time(NULL) - all[i].used.tv_sec > FORGOTTEN_S)
                        remove_result(p, all[i].name);
        }
        if (dir)
                closedir(dir);
        free(all);
}

/* ---------------------------------------------------------------- */

static int make_result(const struct prepare *p, const char *path, struct err *e)
{
        char draft[PREPARE_PATH_SIZE];

        remove_old_drafts(p);
        snprintf(draft, sizeof draft, "%s/draft-%s-XXXXXX", p->cache, p->language);
        if (!mkdtemp(draft))
                return err_set(e, errno, "a directory in %s", p->cache);
        log_info(p->log, "preparing %s, once: %s", p->language, path);
        int r = chmod(draft, 0755) < 0 || chown(draft, NOBODY, NOBODY) < 0 ? err_set(e, errno, "%s", draft) : 0;
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

int prepare_directory(const struct prepare *p, char path[PREPARE_PATH_SIZE], int *held, struct err *e)
{
        int r = open_cache(p, e);
        if (r == 0)
                r = name_result(p, path, e);
        int there = r < 0 ? r : hold(path, held, e);
        if (there == 0) {
                r = make_result(p, path, e);
                there = r < 0 ? r : hold(path, held, e);
        }
        if (there == 0)
                return err_say(e, EAGAIN, "%s was removed as soon as it was made", path);
        if (there < 0)
                return there;
        remove_unused(p);
        return 0;
}
