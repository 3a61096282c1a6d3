/* The command line of a gateway worker: see role_gateway.h. */
#include "hatcheryd/role_gateway.h"

#include "gateway/gateway.h"
#include "hatcheryd/poolsocket.h"
#include "hatcheryd/role.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Descriptors that a worker is started with. */
enum { FD_CONTROL = 3, FD_ROOT = 4, FD_FIRST_LISTENER = 5 };

/* A listener is one word: "127.0.0.1:8060|v1,piston|run.example.org|https://example.org". No name has a comma or a bar
 * in it: see pool/config/config_http.c. */
enum { LISTS = 3, LISTENER_SIZE = 128 + LISTS * CONFIG_HTTP_WORDS * CONFIG_HTTP_WORD };

static size_t add_list(char *text, size_t n, char *const *list)
{
        n += (size_t)snprintf(text + n, LISTENER_SIZE - n, "|");
        for (char *const *at = list; at && *at && n < LISTENER_SIZE; at++)
                n += (size_t)snprintf(text + n, LISTENER_SIZE - n, "%s%s", at == list ? "" : ",", *at);
        return n;
}

static int listener_to_arg(const struct role_gateway_listener *l, char **arg, struct err *e)
{
        char *const *lists[LISTS] = { l->http->contracts, l->http->hosts, l->http->origins };

        *arg = malloc(LISTENER_SIZE);
        if (!*arg)
                return err_set(e, ENOMEM, "a listener of the gateway");
        size_t n = (size_t)snprintf(*arg, LISTENER_SIZE, "%s", l->name);
        for (size_t i = 0; i < LISTS && n < LISTENER_SIZE; i++)
                n = add_list(*arg, n, lists[i]);
        return n < LISTENER_SIZE ? 0 : err_say(e, E2BIG, "http: the lists for %s have too many words", l->name);
}

/* The words of the command line. Each word is owned. */
enum { MAX_WORDS = 16 + 2 * CONFIG_MAX_HTTP_LISTEN };

struct words {
        char *at[MAX_WORDS + 1];
        size_t n;
};

static void free_words(struct words *w)
{
        for (size_t i = 0; i < w->n; i++)
                free(w->at[i]);
}

__attribute__((format(printf, 3, 4))) static int add_word(struct words *w, struct err *e, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        int n = vasprintf(&w->at[w->n], format, args);
        va_end(args);
        if (n < 0)
                return err_set(e, ENOMEM, "a command line");
        w->at[++w->n] = NULL;
        return 0;
}

static int make_words(struct words *w, const struct role_gateway *role, struct err *e)
{
        int r = add_word(w, e, "hatcheryd");
        if (r == 0)
                r = add_word(w, e, "--role=gateway");
        if (r == 0)
                r = add_word(w, e, "--worker=%u", role->worker);
        if (r == 0)
                r = add_word(w, e, "--uid=%u", role->uid);
        if (r == 0)
                r = add_word(w, e, "--max-memory=%llu", (unsigned long long)role->max_memory);
        if (r == 0)
                r = add_word(w, e, "--max-request=%u", role->max_request_bytes);
        if (r == 0)
                r = add_word(w, e, "--log-level=%d", (int)role->log_level);
        for (size_t i = 0; i < role->n_listeners && r == 0; i++) {
                OWN_MEM char *arg = NULL;
                r = listener_to_arg(&role->listeners[i], &arg, e);
                if (r == 0)
                        r = add_word(w, e, "--http=%s", arg);
        }
        return r;
}

int role_start_gateway(struct process *p, const struct role_gateway *role, int *control, struct err *e)
{
        int fds[FD_FIRST_LISTENER - FD_CONTROL + CONFIG_MAX_HTTP_LISTEN];
        struct words words = { .n = 0 };
        OWN_FD int ours = -1;
        OWN_FD int theirs = -1;
        size_t n = 0;

        int r = role_make_pair(&ours, &theirs, e);
        if (r < 0)
                return r;
        fds[n++] = theirs;
        fds[n++] = role->root_fd;
        for (size_t i = 0; i < role->n_listeners; i++)
                fds[n++] = role->listeners[i].fd;
        OWN_FD int program = role_own_program(e);
        if (program < 0)
                return program;
        r = make_words(&words, role, e);
        if (r == 0)
                r = process_start(p, program, words.at, fds, n, e);
        free_words(&words);
        if (r == 0)
                *control = own_steal_fd(&ours);
        return r;
}

/* ---------------------------------------------------------------- in the worker */

struct listener_words {
        char *contracts[CONFIG_HTTP_WORDS + 1], *hosts[CONFIG_HTTP_WORDS + 1], *origins[CONFIG_HTTP_WORDS + 1];
};

/* Takes the next list from the argument. */
static bool take_list(char **arg, char *list[CONFIG_HTTP_WORDS + 1])
{
        char *part = strsep(arg, "|");
        size_t n = 0;

        if (!part)
                return false;
        while (part && *part && n < CONFIG_HTTP_WORDS)
                list[n++] = strsep(&part, ",");
        list[n] = NULL;
        return true;
}

static bool take_listener(struct gateway_listener *l, struct listener_words *w, char *arg, int fd)
{
        *l = (struct gateway_listener){ .fd = fd,
                                        .address = strsep(&arg, "|"),
                                        .contracts = w->contracts,
                                        .hosts = w->hosts,
                                        .origins = w->origins };
        return take_list(&arg, w->contracts) && take_list(&arg, w->hosts) && take_list(&arg, w->origins) && !arg;
}

int role_run_gateway(struct role_gateway_line *line)
{
        struct gateway_listener listeners[CONFIG_MAX_HTTP_LISTEN];
        OWN_MEM struct listener_words *words = calloc(CONFIG_MAX_HTTP_LISTEN, sizeof *words);
        bool is_good = words && line->n_listeners > 0;

        for (size_t i = 0; i < line->n_listeners && is_good; i++)
                is_good = take_listener(&listeners[i], &words[i], line->listeners[i], FD_FIRST_LISTENER + (int)i);
        if (!is_good) {
                fprintf(stderr, "hatcheryd: --role is for hatcheryd's own processes\n");
                return 2;
        }
        const struct gateway_options options = {
                .worker = (uint32_t)line->worker,
                .listeners = listeners,
                .n_listeners = line->n_listeners,
                .control_fd = FD_CONTROL,
                .max_memory = line->max_memory,
                .max_request_bytes = (uint32_t)line->max_request_bytes,
                .log_level = (enum log_level)line->log_level,
                .pool = POOLSOCKET_ADDRESS,
                .uid = (uint32_t)line->uid,
                .root_fd = FD_ROOT,
        };
        return gateway_main(&options);
}
