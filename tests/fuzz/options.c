/* Fuzzes the command line: client/options with proto/base/limit below it, and the addresses of client/address. Input: a
 * byte that chooses the command, then words, separated by line feeds; each word is also tried as an address. */
#include "client/options.h"

#include "client/address.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 64 };

static void check_address(const char *word)
{
        struct err e = { 0 };
        char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
        int r = address_split(word, host, port, &e);
        if (r == 0) {
                FUZZ_CHECK(host[0] != '\0' && port[0] != '\0');
                FUZZ_CHECK(strlen(host) + strlen(port) + 1 <= strlen(word));
        } else {
                FUZZ_CHECK(r == -EINVAL && e.text[0] != '\0');
        }
}

static void check_words(const struct words *w, size_t n)
{
        FUZZ_CHECK(w->n <= n);
        for (size_t i = 0; i < w->n; i++)
                FUZZ_CHECK(w->items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const enum command commands[] = { COMMAND_RUN, COMMAND_PING, COMMAND_STATUS, COMMAND_RUN };
        struct fuzz_input in = { data, size };
        enum command command = commands[fuzz_byte(&in) % 4];
        char *text = fuzz_text(in.data, in.len);
        char name[] = "run", *argv[MAX_WORDS + 2] = { name };
        int argc = 1;
        for (char *at = text; at && argc <= MAX_WORDS; argc++) {
                argv[argc] = strsep(&at, "\n");
                check_address(argv[argc]);
        }

        struct options o;
        struct err e = { 0 };
        int r = options_parse(&o, command, argc, argv, &e);
        if (r == 0) {
                const struct words *lists[] = { &o.programs, &o.files, &o.env, &o.globs, &o.args };
                for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
                        check_words(lists[i], (size_t)argc);
        } else {
                FUZZ_CHECK(r == -EINVAL && e.text[0] != '\0');
        }
        options_fini(&o);
        free(text);
        return 0;
}
