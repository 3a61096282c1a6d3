/* HTTP in the configuration: see config_http.h. */
#include "pool/config/config_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const contracts[] = { "v1", "snekbox", "piston", "sandboxfusion", "metrics", "health" };

enum {
        N_CONTRACTS = sizeof contracts / sizeof contracts[0],
        N_STANDARD = N_CONTRACTS - 1, /* the first ones are in the default section; every listener has the last one */
};

/* The default list. The empty word stands for "metrics" where only this machine can reach the section's addresses, and
 * for nothing elsewhere. */
#define DEFAULT_CONTRACTS "{ v1, snekbox, piston, sandboxfusion, '' }"

/* ---------------------------------------------------------------- words */

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Skips a name or an address as in a URL: "example.org", "10.0.0.1", "[::1]". Returns its end. NULL: text has none. */
static const char *skip_host(const char *text)
{
        size_t len = *text == '[' ? strspn(text + 1, DIGITS "abcdefABCDEF:.") : strspn(text, LOWER UPPER DIGITS "-._");
        if (*text == '[')
                return len > 0 && text[len + 1] == ']' ? text + len + 2 : NULL;
        return len > 0 ? text + len : NULL;
}

/* Skips a port, such as ":80". Returns its end. NULL: text has none. */
static const char *skip_port(const char *text)
{
        size_t len = *text == ':' ? strspn(text + 1, DIGITS) : 0;
        return len > 0 && len <= 5 && strtoul(text + 1, NULL, 10) <= 65535 ? text + 1 + len : NULL;
}

static bool is_address(const char *word)
{
        const char *port = skip_host(word), *end = port ? skip_port(port) : NULL;
        return end && *end == '\0' && strlen(word) < CONFIG_HTTP_WORD;
}

static bool is_contract(const char *word)
{
        for (size_t i = 0; i < N_CONTRACTS; i++)
                if (strcmp(word, contracts[i]) == 0)
                        return true;
        return *word == '\0';
}

static bool is_host(const char *word)
{
        const char *end = skip_host(word);
        return end && *end == '\0' && strlen(word) < CONFIG_HTTP_WORD;
}

/* Is word an Origin as a browser sends it? A browser sends the scheme, the host, and the port unless it is the scheme's
 * default. It never sends a path. */
static bool is_origin(const char *word)
{
        const char *host = strstr(word, "://");
        const char *end =
                host && strspn(word, LOWER) == (size_t)(host - word) && host > word ? skip_host(host + 3) : NULL;
        if (end && *end == ':')
                end = skip_port(end);
        return end && *end == '\0' && strlen(word) < CONFIG_HTTP_WORD;
}

/* One row for each list. */
static const struct words {
        const char *key;
        bool (*is_good)(const char *word);
        const char *must; /* for the error message */
} words[] = {
        { "listen", is_address, "HOST:PORT or [IPV6]:PORT" },
        { "contracts", is_contract, "v1, snekbox, piston, sandboxfusion, metrics or health" },
        { "hosts", is_host, "a name or an address without a port" },
        { "origins", is_origin, "a scheme and a host, such as https://example.org" },
};

static int check_words(cfg_t *cfg, cfg_opt_t *opt)
{
        unsigned n = cfg_opt_size(opt);

        for (size_t row = 0; row < sizeof words / sizeof words[0]; row++)
                for (unsigned i = 0; strcmp(opt->name, words[row].key) == 0 && i < n; i++) {
                        const char *word = cfg_opt_getnstr(opt, i);
                        if (words[row].is_good(word))
                                continue;
                        cfg_error(cfg, "http: %s holds \"%s\", and each word is %s", opt->name, word, words[row].must);
                        return -1;
                }
        if (n <= CONFIG_HTTP_WORDS)
                return 0;
        cfg_error(cfg, "http: %s holds %u words; there is room for %d", opt->name, n, CONFIG_HTTP_WORDS);
        return -1;
}

/* ---------------------------------------------------------------- the section */

cfg_opt_t config_http_option(struct config_http_grammar *g, struct config_sink *sink)
{
        size_t n = 0;

        snprintf(g->listen, sizeof g->listen, "{ '" CONFIG_HTTP_LISTEN "' }");
        snprintf(g->contracts, sizeof g->contracts, DEFAULT_CONTRACTS);
        g->options[n++] = (cfg_opt_t)CFG_STR_LIST("listen", g->listen, CFGF_NONE);
        g->options[n++] = (cfg_opt_t)CFG_STR_LIST("contracts", g->contracts, CFGF_NONE);
        g->options[n++] = (cfg_opt_t)CFG_STR_LIST("hosts", NULL, CFGF_NODEFAULT);
        g->options[n++] = (cfg_opt_t)CFG_STR_LIST("origins", NULL, CFGF_NODEFAULT);
        for (size_t i = 0; i < n; i++)
                g->options[i].validcb = check_words;
        g->options[n++] = config_sink_option(sink);
        g->options[n++] = config_end_option(true);
        g->options[n] = (cfg_opt_t)CFG_END();
        return (cfg_opt_t)CFG_SEC("http", g->options, CFGF_MULTI);
}

static unsigned count_addresses(const struct config *c, const char *only)
{
        unsigned n = 0;
        for (size_t i = 0; i < c->n_http; i++)
                for (char **at = c->http[i].listen; at && *at; at++)
                        n += !only || strcmp(*at, only) == 0;
        return n;
}

/* Refuses an address that comes twice. The kernel would refuse it, too, but with a less clear message. Port 0 may come
 * twice, because it takes another port each time. */
static int check_addresses(const struct config *c, const struct config_http *h, struct err *e)
{
        for (char **at = h->listen; at && *at; at++)
                if (count_addresses(c, *at) > 1 && strtoul(strrchr(*at, ':') + 1, NULL, 10) != 0)
                        return err_say(e, EINVAL, "line %d: http: %s is listened on twice", h->line, *at);
        if (count_addresses(c, NULL) <= CONFIG_MAX_HTTP_LISTEN)
                return 0;
        return err_say(e, EINVAL, "line %d: http: there is room for %d addresses", h->line, CONFIG_MAX_HTTP_LISTEN);
}

/* 127.0.0.0/8, [::1] or localhost, with a port. */
static bool is_loopback(const char *address)
{
        return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 ||
               strncmp(address, "localhost:", 10) == 0;
}

/* Replaces the empty word, or removes it. */
static int settle_contracts(struct config_http *h, struct err *e)
{
        bool is_local = true;
        size_t i = 0;

        for (char **at = h->listen; at && *at; at++)
                is_local = is_local && is_loopback(*at);
        while (h->contracts && h->contracts[i]) {
                char **at = &h->contracts[i];
                if (**at) {
                        i++;
                        continue;
                }
                char *metrics = is_local ? strdup("metrics") : NULL;
                if (is_local && !metrics)
                        return err_set(e, ENOMEM, "http");
                free(*at);
                *at = metrics;
                if (!metrics)
                        do
                                *at = at[1];
                        while (*at++);
        }
        return 0;
}

static int take_section(struct config *c, cfg_t *section, struct err *e)
{
        struct config_http *h = &c->http[c->n_http++];

        h->line = section->line;
        int r = config_list_take(section, "listen", &h->listen, NULL, e);
        if (r == 0)
                r = config_list_take(section, "contracts", &h->contracts, NULL, e);
        if (r == 0)
                r = settle_contracts(h, e);
        if (r == 0)
                r = config_list_take(section, "hosts", &h->hosts, NULL, e);
        if (r == 0)
                r = config_list_take(section, "origins", &h->origins, NULL, e);
        if (r == 0 && h->listen && (!h->contracts || !h->contracts[0]))
                return err_say(e, EINVAL, "line %d: http: contracts is empty; listen = {} turns a section off",
                               h->line);
        return r < 0 ? r : check_addresses(c, h, e);
}

static int add_word(char ***list, const char *const *from, size_t n, struct err *e)
{
        *list = calloc(n + 1, sizeof **list);
        for (size_t i = 0; *list && i < n; i++) {
                (*list)[i] = strdup(from[i]);
                if (!(*list)[i])
                        return err_set(e, ENOMEM, "http");
        }
        return *list ? 0 : err_set(e, ENOMEM, "http");
}

/* Adds the default section, for a text without any section http. */
static int take_default(struct config *c, struct err *e)
{
        static const char *const listen[] = { CONFIG_HTTP_LISTEN };
        struct config_http *h = &c->http[c->n_http++];

        int r = add_word(&h->listen, listen, 1, e);
        return r < 0 ? r : add_word(&h->contracts, contracts, N_STANDARD, e);
}

int config_http_take(struct config *c, cfg_t *root, struct err *e)
{
        unsigned n = cfg_size(root, "http");
        int r = 0;

        if (n > CONFIG_MAX_HTTP)
                return err_say(e, EINVAL, "line %d: there are %u sections http; there is room for %d",
                               cfg_getnsec(root, "http", CONFIG_MAX_HTTP)->line, n, CONFIG_MAX_HTTP);
        c->has_http = n > 0;
        c->http = calloc(n + 1, sizeof *c->http);
        if (!c->http)
                return err_set(e, ENOMEM, "http");
        if (n == 0)
                return take_default(c, e);
        for (unsigned i = 0; i < n && r == 0; i++)
                r = take_section(c, cfg_getnsec(root, "http", i), e);
        return r;
}

void config_http_fini(struct config *c)
{
        for (size_t i = 0; i < c->n_http; i++) {
                config_list_free(c->http[i].listen);
                config_list_free(c->http[i].contracts);
                config_list_free(c->http[i].hosts);
                config_list_free(c->http[i].origins);
        }
        free(c->http);
        c->http = NULL;
        c->n_http = 0;
}
