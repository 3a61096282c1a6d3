/* hatcheryd: the command line, and the choice of this process's role. */
#include "hatcheryd/examine.h"
#include "hatcheryd/home.h"
#include "hatcheryd/role.h"
#include "hatcheryd/role_gateway.h"
#include "hatcheryd/supervisor.h"
#include "pool/config/config.h"
#include "pool/pool.h"
#include "proto/wire/wire.h"
#include "zygote/hidden.h"
#include "zygote/wipe.h"
#include "zygote/zygote.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MAX_VALUES = 256 };

enum option_id {
        OPTION_LISTEN = 256,
        OPTION_CONFIG,
        OPTION_FAULTS,
        OPTION_CHECK_HOST,
        OPTION_PRINT_CONFIG,
        OPTION_PRINT_SECCOMP,
        OPTION_VERSION,
        OPTION_HELP,
        /* only for hatcheryd's own processes, not for operators */
        OPTION_ROLE,
        OPTION_UID,
        OPTION_LISTENERS,
        OPTION_TRUSTED,
        OPTION_LANGUAGE,
        OPTION_RUNTIME,
        OPTION_PLUGIN,
        OPTION_FILES,
        OPTION_CACHE,
        OPTION_PACKAGES,
        OPTION_INIT,
        OPTION_HAS_CACHE,
        OPTION_INODES,
        OPTION_DISK_READ,
        OPTION_LOG_LEVEL,
        OPTION_CGROUP,
        OPTION_GROUP,
        OPTION_CEILINGS,
        OPTION_PRELOAD,
        OPTION_HTTP,
        OPTION_WORKER,
        OPTION_MAX_MEMORY,
        OPTION_MAX_REQUEST,
};

static const struct option option_table[] = {
        { "listen", required_argument, NULL, OPTION_LISTEN },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "faults", required_argument, NULL, OPTION_FAULTS },
        { "check-host", no_argument, NULL, OPTION_CHECK_HOST },
        { "print-config", no_argument, NULL, OPTION_PRINT_CONFIG },
        { "print-seccomp", no_argument, NULL, OPTION_PRINT_SECCOMP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "help", no_argument, NULL, OPTION_HELP },
        { "role", required_argument, NULL, OPTION_ROLE },
        { "uid", required_argument, NULL, OPTION_UID },
        { "listeners", required_argument, NULL, OPTION_LISTENERS },
        { "trusted", required_argument, NULL, OPTION_TRUSTED },
        { "language", required_argument, NULL, OPTION_LANGUAGE },
        { "runtime", required_argument, NULL, OPTION_RUNTIME },
        { "plugin", required_argument, NULL, OPTION_PLUGIN },
        { "files", required_argument, NULL, OPTION_FILES },
        { "cache", required_argument, NULL, OPTION_CACHE },
        { "packages", required_argument, NULL, OPTION_PACKAGES },
        { "init", required_argument, NULL, OPTION_INIT },
        { "has-cache", no_argument, NULL, OPTION_HAS_CACHE },
        { "inodes", required_argument, NULL, OPTION_INODES },
        { "disk-read", required_argument, NULL, OPTION_DISK_READ },
        { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
        { "cgroup", required_argument, NULL, OPTION_CGROUP },
        { "group", required_argument, NULL, OPTION_GROUP },
        { "ceilings", required_argument, NULL, OPTION_CEILINGS },
        { "preload", required_argument, NULL, OPTION_PRELOAD },
        { "http", required_argument, NULL, OPTION_HTTP },
        { "worker", required_argument, NULL, OPTION_WORKER },
        { "max-memory", required_argument, NULL, OPTION_MAX_MEMORY },
        { "max-request", required_argument, NULL, OPTION_MAX_REQUEST },
        { NULL, 0, NULL, 0 },
};

static const char help_text[] =
        "usage: hatcheryd [--listen ADDR]... [--config FILE]\n"
        "\n"
        "Runs untrusted snippets, each in a brand-new sandbox that was warm before the request came.\n"
        "\n"
        "  --listen ADDR     HOST:PORT, [IPV6]:PORT (port 0: a free one) or unix:PATH; repeatable;\n"
        "                    replaces the addresses of the configuration; the server then speaks\n"
        "                    HTTP only if the configuration has a section http\n"
        "  --config FILE     in place of the built-in configuration; read again at SIGHUP\n"
        "  --check-host      say line by line what this host gives and what is missing, languages included\n"
        "  --print-config    the built-in configuration, with every setting and its default\n"
        "  --print-seccomp   the system calls of every sandbox, and those that single languages add\n"
        "  --faults FILE     for tests: leaves out walls or lets steps fail, see zygote/base/fault.h; never for service\n"
        "  --version, --help\n"
        "\n"
        "Prints `ready ADDR... http://ADDR...` once every language that comes up has its warm sandboxes. SIGTERM drains and\n"
        "stops.\n";

/* The command line is kept in hidden memory, because the sandboxes of a zygote inherit the stack of this process. */
struct command_line {
        enum option_id action; /* 0: serve */
        const char *role;
        const char *config;
        const char *listen[MAX_VALUES];
        size_t n_listen;
        char *preload[MAX_VALUES];
        size_t n_preload;
        struct cgroup_hierarchy cgroups[CGROUP_MAX_HIERARCHIES];
        size_t n_cgroups;
        struct trusted_listener trusted[TRUSTED_MAX];
        size_t n_trusted;
        struct role_gateway_line gateway;
        bool has_cache;
        const char *language, *runtime, *plugin, *files, *cache, *packages, *init, *faults, *group, *ceilings,
                *disk_read;
        unsigned long uid, listeners, inodes, log_level;
};

/* Takes one option. -EINVAL: e has a sentence. */
static int take_option(struct command_line *c, int id, char *value, struct err *e)
{
        switch (id) {
        case OPTION_LISTEN:
                if (c->n_listen == MAX_VALUES)
                        return err_say(e, EINVAL, "too many addresses");
                c->listen[c->n_listen++] = value;
                return 0;
        case OPTION_PRELOAD:
                if (c->n_preload == MAX_VALUES)
                        return err_say(e, EINVAL, "too many modules to preload");
                c->preload[c->n_preload++] = value;
                return 0;
        case OPTION_CGROUP:
                if (c->n_cgroups == CGROUP_MAX_HIERARCHIES)
                        return err_say(e, EINVAL, "too many cgroups");
                return hierarchy_from_arg(&c->cgroups[c->n_cgroups++], value, e);
        case OPTION_HTTP:
                if (c->gateway.n_listeners == CONFIG_MAX_HTTP_LISTEN)
                        return err_say(e, EINVAL, "too many listeners");
                c->gateway.listeners[c->gateway.n_listeners++] = value;
                return 0;
        case OPTION_WORKER:
                c->gateway.worker = strtoul(value, NULL, 10);
                return 0;
        case OPTION_MAX_MEMORY:
                c->gateway.max_memory = strtoull(value, NULL, 10);
                return 0;
        case OPTION_MAX_REQUEST:
                c->gateway.max_request_bytes = strtoul(value, NULL, 10);
                return 0;
        case OPTION_CONFIG:
                c->config = value;
                return 0;
        case OPTION_FAULTS:
                c->faults = value;
                return 0;
        case OPTION_ROLE:
                c->role = value;
                return 0;
        case OPTION_LANGUAGE:
                c->language = value;
                return 0;
        case OPTION_RUNTIME:
                c->runtime = value;
                return 0;
        case OPTION_PLUGIN:
                c->plugin = value;
                return 0;
        case OPTION_FILES:
                c->files = value;
                return 0;
        case OPTION_CACHE:
                c->cache = value;
                return 0;
        case OPTION_PACKAGES:
                c->packages = value;
                return 0;
        case OPTION_INIT:
                c->init = value;
                return 0;
        case OPTION_GROUP:
                c->group = value;
                return 0;
        case OPTION_CEILINGS:
                c->ceilings = value;
                return 0;
        case OPTION_UID:
                c->uid = strtoul(value, NULL, 10);
                return 0;
        case OPTION_LISTENERS:
                c->listeners = strtoul(value, NULL, 10);
                return 0;
        case OPTION_TRUSTED:
                if (c->n_trusted == TRUSTED_MAX)
                        return err_say(e, EINVAL, "too many trusted listeners");
                return trusted_from_arg(&c->trusted[c->n_trusted++], value, e);
        case OPTION_HAS_CACHE:
                c->has_cache = true;
                return 0;
        case OPTION_INODES:
                c->inodes = strtoul(value, NULL, 10);
                return 0;
        case OPTION_DISK_READ:
                c->disk_read = value;
                return 0;
        case OPTION_LOG_LEVEL:
                c->log_level = strtoul(value, NULL, 10);
                return 0;
        case OPTION_CHECK_HOST:
        case OPTION_PRINT_CONFIG:
        case OPTION_PRINT_SECCOMP:
        case OPTION_VERSION:
        case OPTION_HELP:
                c->action = (enum option_id)id;
                return 0;
        default:
                return err_say(e, EINVAL, "see hatcheryd --help");
        }
}

static int run_zygote(const struct command_line *c)
{
        struct config config = { 0 };
        struct lang_command command;
        struct err e = { 0 };
        struct zygote_arguments options = {
                .language = c->language,
                .runtime = c->runtime,
                .plugin = c->plugin,
                .files = c->files,
                .cache = c->cache,
                .packages = c->packages,
                .init_program = c->init,
                .preload = c->preload,
                .n_preload = c->n_preload,
                .cgroups = c->cgroups,
                .n_cgroups = c->n_cgroups,
                .group = c->group,
                .ceilings = c->ceilings,
                .disk_read = c->disk_read,
                .uid_base = (uint32_t)c->uid,
                .inodes = (uint32_t)c->inodes,
                .faults = c->faults,
                .log_level = (enum log_level)c->log_level,
        };
        wipe_freed_begin();
        if (!c->plugin) {
                if (role_read_runtime(&config, &e) < 0) {
                        fprintf(stderr, "hatcheryd: the zygote for %s: %s\n", c->language, e.text);
                        return 1;
                }
                const struct config_runtime *r = &config.runtimes[0];
                role_command(&command, r);
                options.command = &command;
                options.paths = r->paths;
                options.prepare = r->prepare;
                options.identity = r->identity;
        }
        int status = zygote_main(&options);
        config_fini(&config);
        return status;
}

/* Sets the process's name, since the program runs from a copy in memory, which has no name. Then runs the role. */
static int run_role(struct command_line *c)
{
        char name[16] = "";
        snprintf(name, sizeof name, "hatchery-%s", c->role);
        prctl(PR_SET_NAME, name, 0, 0, 0);
        if (strcmp(c->role, "pool") == 0) {
                struct pool_options options = {
                        .uid = (uint32_t)c->uid,
                        .n_listeners = (unsigned)c->listeners,
                        .trusted = c->trusted,
                        .n_trusted = c->n_trusted,
                        .has_cache = c->has_cache,
                        .config_name = "the configuration",
                };
                return pool_main(&options);
        }
        if (strcmp(c->role, "gateway") == 0) {
                c->gateway.uid = c->uid;
                c->gateway.log_level = c->log_level;
                return role_run_gateway(&c->gateway);
        }
        if (strcmp(c->role, "zygote") == 0 && c->language && c->runtime && c->init && c->group && c->cache &&
            c->ceilings)
                return run_zygote(c);
        fprintf(stderr, "hatcheryd: --role is for hatcheryd's own processes\n");
        return 2;
}

static int run(const struct command_line *c)
{
        char directory[HOME_PATH_SIZE];
        struct err e = { 0 };
        if (home_directory(directory, sizeof directory, &e) < 0) {
                fprintf(stderr, "hatcheryd: %s\n", e.text);
                return 1;
        }
        if (c->action == OPTION_CHECK_HOST)
                return examine_host(c->config, directory);
        if (c->action == OPTION_PRINT_SECCOMP)
                return examine_calls(c->config, directory);
        struct supervisor_options options = {
                .config_path = c->config,
                .listen = c->listen,
                .n_listen = c->n_listen,
                .program_directory = directory,
                .faults = c->faults,
        };
        return supervisor_main(&options);
}

int main(int argc, char **argv)
{
        struct command_line *c = hidden_new(sizeof *c);
        if (!c) {
                fprintf(stderr, "hatcheryd: hidden memory: %s\n", strerror(errno));
                return 1;
        }
        int id;
        while ((id = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
                struct err e = { 0 };
                if (take_option(c, id, optarg, &e) < 0) {
                        fprintf(stderr, "hatcheryd: %s\n", e.text);
                        return 2;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "hatcheryd: \"%s\" is no option; see hatcheryd --help\n", argv[optind]);
                return 2;
        }
        switch (c->action) {
        case OPTION_HELP:
                fputs(help_text, stdout);
                return 0;
        case OPTION_VERSION:
                printf("hatcheryd %s\n", HATCHERY_VERSION);
                return 0;
        case OPTION_PRINT_CONFIG:
                fputs(config_builtin, stdout);
                return 0;
        default:
                return c->role ? run_role(c) : run(c);
        }
}
