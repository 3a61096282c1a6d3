/* Where this program's files lie: see home.h. */
#include "hatcheryd/home.h"

#include "proto/base/own.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Places relative to the directory of hatcheryd: first that of a build tree, then that of an installed tree, which the
 * build defines. */
static const char *const programs[] = { "", "/" HATCHERY_LIBEXEC };
static const char *const languages[] = { "/share/hatchery/lang", "/" HATCHERY_DATA "/lang" };

enum { N_PLACES = sizeof programs / sizeof programs[0] };

const char *home_place(size_t n)
{
        return n < N_PLACES ? programs[n] : NULL;
}

/* Finds the absolute path of an existing file, without links and "..". */
static int resolve(const char *found, char *path, size_t size, struct err *e)
{
        OWN_MEM char *real = realpath(found, NULL);
        if (!real)
                return err_set(e, errno, "%s", found);
        if ((size_t)snprintf(path, size, "%s", real) >= size)
                return err_say(e, ENAMETOOLONG, "the path %.100s... is longer than %zu bytes", real, size - 1);
        return 0;
}

int home_directory(char *path, size_t size, struct err *e)
{
        int r = resolve("/proc/self/exe", path, size, e);
        char *slash = r == 0 ? strrchr(path, '/') : NULL;
        if (slash)
                *slash = '\0';
        return r;
}

int home_find(const char *program_directory, const char *name, char *path, size_t size, struct err *e)
{
        char file[HOME_PATH_SIZE + 128];
        for (size_t i = 0; i < N_PLACES; i++) {
                int n = snprintf(file, sizeof file, "%s%s/%s", program_directory, programs[i], name);
                if (n > 0 && (size_t)n < sizeof file && access(file, R_OK) == 0)
                        return resolve(file, path, size, e);
        }
        return err_say(e, ENOENT, "%s is neither in %s nor in %s", name, program_directory, HATCHERY_LIBEXEC);
}

int home_languages(const char *program_directory, char path[HOME_PATH_SIZE], struct err *e)
{
        char directory[HOME_PATH_SIZE + 128];
        struct stat st;
        for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++) {
                int n = snprintf(directory, sizeof directory, "%s%s", program_directory, languages[i]);
                if (n > 0 && (size_t)n < sizeof directory && stat(directory, &st) == 0 && S_ISDIR(st.st_mode))
                        return resolve(directory, path, HOME_PATH_SIZE, e);
        }
        return err_say(e, ENOENT, "there is no share/hatchery/lang in %s or beside it", program_directory);
}
