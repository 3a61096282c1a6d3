/* Runs the corpus of one fuzzer as a unit test, without libFuzzer. One child process runs every input of a folder. The
 * parent reports in TAP whether the child ended well, or which input ended it. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_file(int folder, const char *name)
{
        struct stat st;
        int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
        FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0);
        uint8_t *data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
        FUZZ_CHECK(data && read(fd, data, (size_t)st.st_size) == st.st_size);
        close(fd);
        LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
        free(data);
}

static int visible(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

int main(void)
{
        struct dirent **entries = NULL;
        const char *corpora = getenv("HATCHERY_CORPORA");
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", corpora ? corpora : FUZZ_CORPORA, FUZZ_NAME);
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int n = folder < 0 ? -1 : scandirat(folder, ".", &entries, visible, alphasort);
        /* The number of the input that the child runs. The child writes this number, and the parent reads it after the
         * child's end. */
        volatile int *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (n <= 0 || at == MAP_FAILED) {
                printf("1..1\nnot ok 1 - %s holds no inputs\n", path);
                return 1;
        }

        printf("1..1\n");
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
                for (int i = 0; i < n; i++) {
                        *at = i;
                        run_file(folder, entries[i]->d_name);
                }
                *at = n; /* from here on the process ends, and the sanitizer looks for leaks */
        }
        int status = -1;
        if (child > 0)
                waitpid(child, &status, 0);
        if (child > 0 && status == 0)
                printf("ok 1 - %d inputs of the corpus do no harm\n", n);
        else if (child > 0)
                printf("not ok 1 - the corpus: %s ended with wait status %d\n",
                       *at < n ? entries[*at]->d_name : "the process's end, where leaks are found,", status);
        for (int i = 0; i < n; i++)
                free(entries[i]);
        free(entries);
        close(folder);
        return child == 0 ? 0 : status != 0;
}
