/* The SAPI "cli" in the library: see sapi.h. Debian's libphp itself has the SAPI "embed". A program can see the
 * difference: the name, the settings, where messages go, and the functions that only `php` has. */
#include "lang/php/sapi.h"

#include <errno.h>
#include <ext/standard/dl.h>
#include <fcntl.h>
#include <main/php_main.h>
#include <main/php_variables.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FULL_MS = 60000 }; /* the longest wait for a non-blocking output that is full */

/* ---------------------------------------------------------------- output */

/* True if a failed write should be tried again. Waits if the output is a full pipe that the program or its child has
 * made non-blocking. */
static bool again(void)
{
        struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
        return errno == EINTR || (errno == EAGAIN && poll(&out, 1, FULL_MS) >= 0);
}

static size_t write_output(const char *text, size_t len)
{
        size_t done = 0;
        while (done < len) {
                ssize_t n = write(STDOUT_FILENO, text + done, len - done);
                if (n > 0) {
                        done += (size_t)n;
                } else if (!again()) {
                        EG(exit_status) = 255;
                        php_handle_aborted_connection(); /* does not return, unless the program ignores the abort */
                        break;
                }
        }
        return done;
}

static void flush_output(void *context)
{
        (void)context;
        if (fflush(stdout) == EOF && errno != EBADF) /* a program may close STDOUT */
                php_handle_aborted_connection();
}

static int deactivate(void)
{
        fflush(stdout);
        return SUCCESS;
}

static void log_message(const char *message, int type)
{
        (void)type;
        fprintf(stderr, "%s\n", message);
}

/* ---------------------------------------------------------------- headers: the command line has none */

static int take_header(sapi_header_struct *header, sapi_header_op_enum operation, sapi_headers_struct *headers)
{
        (void)header;
        (void)operation;
        (void)headers;
        return 0;
}

static int send_headers(sapi_headers_struct *headers)
{
        (void)headers;
        return SAPI_HEADER_SENT_SUCCESSFULLY;
}

static void send_header(sapi_header_struct *header, void *context)
{
        (void)header;
        (void)context;
}

static char *read_cookies(void)
{
        return NULL;
}

/* ---------------------------------------------------------------- variables and settings */

static void register_variables(zval *server)
{
        const char *entry = SG(request_info).argc > 0 ? SG(request_info).argv[0] : "";
        php_import_environment_variables(server);
        php_register_variable("PHP_SELF", entry, server);
        php_register_variable("SCRIPT_NAME", entry, server);
        php_register_variable("SCRIPT_FILENAME", entry, server);
        php_register_variable("PATH_TRANSLATED", entry, server);
        php_register_variable("DOCUMENT_ROOT", "", server);
}

/* Settings that a php.ini may change; ini.c has the fixed ones. */
static void set_defaults(HashTable *settings)
{
        zval on;
        ZVAL_NEW_STR(&on, zend_string_init("1", 1, true));
        zend_hash_str_update(settings, "display_errors", sizeof "display_errors" - 1, &on);
}

/* ---------------------------------------------------------------- functions that only the command line has */

/* Writes the title into the memory that /proc/self/cmdline shows. That is the memory of the zygote's arguments, which
 * holds one word and then zeros. -1 if that memory can't be found. */
static int show_title(const char *title)
{
        char text[2048];
        unsigned long start = 0, end = 0;
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
                close(fd);
        if (n <= 0)
                return -1;
        text[n] = '\0';
        char *at = strrchr(text, ')');
        for (int field = 3; at && field <= 49; field++) {
                at = strchr(at + 1, ' ');
                if (at && field == 48)
                        start = strtoul(at + 1, NULL, 10);
                if (at && field == 49)
                        end = strtoul(at + 1, NULL, 10);
        }
        if (!at || start == 0 || end <= start)
                return -1;
        char *memory = (char *)start; /* NOLINT(performance-no-int-to-ptr): the kernel gives addresses as numbers */
        size_t size = end - start, len = strnlen(title, size - 1);
        memcpy(memory, title, len);
        memset(memory + len, 0, size - len);
        return 0;
}

/* The title that cli_set_process_title got; NULL before. It is static because functions of PHP get no context. */
static char *process_title;

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_dl, 0, 1, _IS_BOOL, 0)
ZEND_ARG_TYPE_INFO(0, extension_filename, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_set_title, 0, 1, _IS_BOOL, 0)
ZEND_ARG_TYPE_INFO(0, title, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_get_title, 0, 0, IS_STRING, 1)
ZEND_END_ARG_INFO()

static PHP_FUNCTION(cli_set_process_title)
{
        char *title;
        size_t len;
        ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_STRING(title, len)
        ZEND_PARSE_PARAMETERS_END();

        char *copy = strndup(title, len);
        if (!copy || show_title(copy) < 0) {
                free(copy);
                php_error_docref(NULL, E_WARNING, "cli_set_process_title had an error: Not initialized correctly");
                RETURN_FALSE;
        }
        free(process_title);
        process_title = copy;
        RETURN_TRUE;
}

static PHP_FUNCTION(cli_get_process_title)
{
        ZEND_PARSE_PARAMETERS_NONE();
        RETURN_STRING(process_title ? process_title : "");
}

static const zend_function_entry functions[] = { PHP_FE(dl, arginfo_dl)                           /**/
                                                 PHP_FE(cli_set_process_title, arginfo_set_title) /**/
                                                 PHP_FE(cli_get_process_title, arginfo_get_title) PHP_FE_END };

void php_sapi_init(sapi_module_struct *s)
{
        /* The library's type has no const for these names, but the library does not write to them. */
        static char name[] = "cli", pretty_name[] = "Command Line Interface", executable[] = "php";
        *s = (sapi_module_struct){
                .name = name,
                .pretty_name = pretty_name,
                .shutdown = php_module_shutdown_wrapper,
                .deactivate = deactivate,
                .ub_write = write_output,
                .flush = flush_output,
                .sapi_error = zend_error,
                .header_handler = take_header,
                .send_headers = send_headers,
                .send_header = send_header,
                .read_cookies = read_cookies,
                .register_server_variables = register_variables,
                .log_message = log_message,
                .executable_location = executable, /* PHP_BINARY is this name, found in PATH */
                .php_ini_ignore_cwd = 1,
                .ini_defaults = set_defaults,
                .phpinfo_as_text = 1,
                .additional_functions = functions,
        };
}

/* ---------------------------------------------------------------- constants */

static int register_stream(const char *name, const char *path, const char *mode)
{
        php_stream *stream = php_stream_open_wrapper(path, mode, 0, NULL);
        if (!stream)
                return -1;
        zend_constant c;
        php_stream_to_zval(stream, &c.value);
        ZEND_CONSTANT_SET_FLAGS(&c, 0, 0);
        c.name = zend_string_init_interned(name, strlen(name), false);
        return zend_register_constant(&c) == SUCCESS ? 0 : -1;
}

int php_sapi_register_constants(void)
{
        REGISTER_MAIN_BOOL_CONSTANT("PHP_CLI_PROCESS_TITLE", true, 0);
        if (register_stream("STDIN", "php://stdin", "rb") < 0 || register_stream("STDOUT", "php://stdout", "wb") < 0 ||
            register_stream("STDERR", "php://stderr", "wb") < 0)
                return -1;
        return 0;
}
