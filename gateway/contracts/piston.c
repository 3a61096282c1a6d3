/* Piston's HTTP contract, version 2 (docs/http-piston.md): its routes under both prefixes, and its shape of errors. */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "gateway/run.h"

#include <string.h>
#include <strings.h>

static void fail(struct exchange *x, const struct failure *why)
{
        exchange_reply_json(x, why->status, json_pack("{s:s}", "message", why->message));
}

/* The request must say that its body is JSON. For a string, fetch() says "text/plain;charset=UTF-8" unless its caller
 * names a type, and npm's piston-client names none. A web page may send that type, but not JSON, to another host. So
 * the type is accepted only without Origin, which browsers always send with a body. */
static bool is_json(struct exchange *x)
{
        const char *type = exchange_header(x, "Content-Type");
        struct failure why;

        if (strcmp(exchange_media_type(x), "application/json") == 0)
                return true;
        if (type && strcasecmp(type, "text/plain;charset=UTF-8") == 0 && !exchange_header(x, "Origin"))
                return true;
        failure_set(&why, 415, "INVALID_ARGUMENT", "requests must be of type application/json");
        exchange_fail(x, &why);
        return false;
}

static void execute(struct exchange *x)
{
        if (is_json(x))
                piston_execute(x);
}

/* ---------------------------------------------------------------- lists */

static void reply_list(struct exchange *x, json_t *list)
{
        struct failure why;

        if (list) {
                exchange_reply_json(x, 200, list);
                return;
        }
        failure_set(&why, 503, "RESOURCE_EXHAUSTED", "the server has no memory for this answer at present");
        exchange_fail(x, &why);
}

static void runtimes_told(struct exchange *x, void *data, const struct hatchery_answer *status,
                          const struct failure *why)
{
        (void)data;
        if (status)
                reply_list(x, piston_runtimes_json(status));
        else
                exchange_fail(x, why);
}

static void runtimes(struct exchange *x)
{
        run_with_status(x, runtimes_told, NULL);
}

static void packages_told(struct exchange *x, void *data, const struct hatchery_answer *status,
                          const struct failure *why)
{
        (void)data;
        if (status)
                reply_list(x, piston_packages_json(status));
        else
                exchange_fail(x, why);
}

/* ---------------------------------------------------------------- one package */

/* Nothing can be installed over HTTP. A language that is there is answered by 200, every other package by 404. */
static void install_told(struct exchange *x, void *data, const struct hatchery_answer *status,
                         const struct failure *why)
{
        struct piston_runtime r;
        struct json_fault fault;
        struct failure ours;

        (void)data;
        if (!status) {
                exchange_fail(x, why);
                return;
        }
        json_t *body = json_read(exchange_body(x), &fault);
        if (!body) {
                failure_set(&ours, 400, "INVALID_ARGUMENT", "%s", fault.text);
                exchange_fail(x, &ours);
                return;
        }
        const char *language = json_string_value(json_object_get(body, "language"));
        const char *version = json_string_value(json_object_get(body, "version"));
        if (language && version && piston_runtime_find(&r, status, language, version) && *r.version) {
                exchange_reply_json(x, 200, json_pack("{s:s, s:s}", "language", r.name, "version", r.version));
        } else {
                failure_set(&ours, 404, "NOT_FOUND", "Requested package %.200s-%.200s does not exist",
                            language ? language : "undefined", version ? version : "undefined");
                exchange_fail(x, &ours);
        }
        json_decref(body);
}

static void packages(struct exchange *x)
{
        struct failure why;

        switch (exchange_method(x)) {
        case METHOD_POST:
                if (is_json(x))
                        run_with_status(x, install_told, NULL);
                break;
        case METHOD_DELETE:
                if (!is_json(x))
                        break;
                failure_set(
                        &why, 400, "INVALID_ARGUMENT",
                        "packages cannot be removed over HTTP: the server's operator installs and removes languages");
                exchange_fail(x, &why);
                break;
        default:
                run_with_status(x, packages_told, NULL);
                break;
        }
}

/* ---------------------------------------------------------------- routes */

enum {
        PACKAGE_METHODS = METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_DELETE,
        LIST_METHODS = METHOD_GET | METHOD_HEAD
};

/* path, methods, has_body, is_websocket, handle */
static const struct route routes[] = {
        { "/api/v2/execute", METHOD_POST, true, false, execute },
        { "/api/v2/runtimes", LIST_METHODS, false, false, runtimes },
        { "/api/v2/packages", PACKAGE_METHODS, true, false, packages },
        { "/api/v2/connect", METHOD_GET, false, true, piston_connect },
        { "/api/v2/piston/execute", METHOD_POST, true, false, execute },
        { "/api/v2/piston/runtimes", LIST_METHODS, false, false, runtimes },
        { "/api/v2/piston/packages", PACKAGE_METHODS, true, false, packages },
        { "/api/v2/piston/connect", METHOD_GET, false, true, piston_connect },
};

const struct contract contract_piston = {
        .name = "piston",
        .routes = routes,
        .n_routes = sizeof routes / sizeof *routes,
        .fail = fail,
};
