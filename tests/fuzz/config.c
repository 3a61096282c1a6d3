/* Fuzzes the configuration: pool/config/config (config_load), pool/config/config_runtime, pool/config/config_language,
 * pool/config/config_http, pool/config/config_value, and libconfuse below them. An accepted configuration must keep the
 * bounds that the rest of the server relies on. */
#include "pool/config/config.h"

#include "proto/ipc/channel.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_http(const struct config_http *h)
{
        FUZZ_CHECK(!h->listen || h->contracts);
        for (char **at = h->listen; at && *at; at++)
                FUZZ_CHECK(strlen(*at) < CONFIG_HTTP_WORD && strrchr(*at, ':'));
}

static void check_language(const struct config_language *l)
{
        FUZZ_CHECK(l->name && l->name[0] != '\0' && l->runtime && l->packages);
        FUZZ_CHECK(l->warm_min <= l->warm_max && l->running >= 1 && l->warm_max + l->running <= CHANNEL_MAX_SLOTS);
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                FUZZ_CHECK(l->standard[i] >= 1 && l->standard[i] <= l->ceiling[i]);
        for (size_t i = 0; i < l->n_preload; i++)
                FUZZ_CHECK(l->preload[i]);
}

/* The runtime must also be the same after it was written as text and read again, as another process reads it. */
static void check_runtime(const struct config_runtime *r)
{
        struct config again = { 0 };
        struct err e = { 0 };
        char *text = config_runtime_text(r);

        FUZZ_CHECK(r->kind >= KIND_PRESTARTED && r->kind <= KIND_EXEC && r->main_file[0] && strlen(r->main_file) < 32);
        FUZZ_CHECK(strlen(r->aliases) < 96 && r->package && (r->run || r->warm));
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                FUZZ_CHECK(r->standard[i] >= 1 && r->standard[i] <= r->ceiling[i] && r->compile_standard[i] >= 1 &&
                           r->compile_standard[i] <= r->compile_ceiling[i]);
        FUZZ_CHECK(text && config_load(&again, text, "its text", &e) == 0);
        FUZZ_CHECK(again.n_runtimes == 1 && config_runtime_same(r, &again.runtimes[0]));
        config_fini(&again);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct config c = { 0 };
        struct err e = { 0 };
        char *text = fuzz_text(data, size); /* ends at the first NUL; config_read_fd refuses texts with a NUL */
        if (config_load(&c, text, "the text", &e) == 0) {
                FUZZ_CHECK(c.n_listen > 0 && c.max_request_bytes >= 1024 && c.max_connections >= 1);
                FUZZ_CHECK(c.n_http >= 1 && c.n_http <= CONFIG_MAX_HTTP && c.gateway_workers <= CONFIG_MAX_WORKERS);
                for (size_t i = 0; i < c.n_http; i++)
                        check_http(&c.http[i]);
                for (size_t i = 0; i < c.n_languages; i++)
                        check_language(&c.languages[i]);
                for (size_t i = 0; i < c.n_runtimes; i++)
                        check_runtime(&c.runtimes[i]);
                config_fini(&c);
        } else {
                FUZZ_CHECK(e.code != 0 && e.text[0] != '\0' && c.n_listen == 0);
        }
        free(text);
        return 0;
}
