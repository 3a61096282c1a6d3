/* One program: see main.h. */
#include "lang/ruby/main.h"

#include <errno.h>
#include <fcntl.h>
#include <ruby.h>
#include <ruby/encoding.h>
#include <ruby/io.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what libruby 3.1 exports without a header */

struct rb_iseq;

struct rb_ast {
        VALUE flags;
        void *nodes;
        struct ast_body {
                const void *root;
                VALUE compile_option;
                int line_count;
        } body;
};

/* The beginning of the top level's binding. */
struct toplevel {
        VALUE self;
        const VALUE *ep;
        const struct rb_iseq *iseq;
        int block_type; /* 0: a block of bytecode */
};

VALUE rb_parser_new(void);
VALUE rb_parser_set_context(VALUE parser, const struct rb_iseq *parent, int is_main);
struct rb_ast *rb_parser_compile_file_path(VALUE parser, VALUE name, VALUE file, int line);
VALUE rb_parser_encoding(VALUE parser);
VALUE rb_parser_end_seen_p(VALUE parser);
void rb_ast_dispose(struct rb_ast *ast);
struct rb_iseq *rb_iseq_new_main(const struct ast_body *body, VALUE path, VALUE real_path, const struct rb_iseq *parent,
                                 int optimise);
VALUE rb_iseqw_new(const struct rb_iseq *iseq);
VALUE rb_iseq_eval_main(const struct rb_iseq *iseq);

static const struct toplevel *toplevel(void)
{
        VALUE binding = rb_const_get(rb_cObject, rb_intern("TOPLEVEL_BINDING"));
        return RTYPEDDATA_P(binding) ? RTYPEDDATA_DATA(binding) : NULL;
}

static VALUE look_at_toplevel(VALUE unused)
{
        (void)unused;
        const struct toplevel *t = toplevel();
        return t && t->block_type == 0 && t->iseq && t->self == rb_eval_string("self") ? Qtrue : Qfalse;
}

bool ruby_main_check(void)
{
        int state;
        VALUE fits = rb_protect(look_at_toplevel, Qnil, &state);
        return state == 0 && fits == Qtrue;
}

/* ---------------------------------------------------------------- from a file to bytecode */

struct program {
        const char *entry;
        bool echo;
        const struct rb_iseq *iseq;
        VALUE value; /* the value of the program's last expression */
};

static void set_warnings(VALUE verbose)
{
        ruby_verbose = verbose;
        VALUE categories = rb_const_get(rb_cObject, rb_intern("Warning"));
        rb_funcall(categories, rb_intern("[]="), 2, ID2SYM(rb_intern("deprecated")), verbose == Qtrue ? Qtrue : Qfalse);
}

/* Obeys the switches of a first line such as `#!/usr/bin/ruby -w`. Only the switches for warnings count, because ruby
 * handles all others before it has a program. */
static void take_switches(const char *line)
{
        for (const char *at = strstr(line, " -"); at; at = strstr(at, " -")) {
                at += 2;
                if (*at == 'w' || (*at == 'W' && (at[1] == '2' || at[1] <= ' ')))
                        set_warnings(Qtrue);
                else if (*at == 'W' && at[1] == '1')
                        set_warnings(Qfalse);
                else if (*at == 'W' && at[1] == '0')
                        set_warnings(Qnil);
        }
}

/* Moves the file to the program's beginning. If the first line names another interpreter, the program begins at a later
 * line that names ruby. Returns the number of the program's first line. */
static int skip_to_program(VALUE file)
{
        VALUE mark = rb_io_getbyte(file);
        if (NIL_P(mark))
                return 1;
        if (mark != INT2FIX('#')) {
                rb_io_ungetbyte(file, mark);
                return 1;
        }
        VALUE second = rb_io_getbyte(file);
        if (second != INT2FIX('!')) {
                if (!NIL_P(second))
                        rb_io_ungetbyte(file, second);
                rb_io_ungetbyte(file, mark);
                return 1;
        }

        VALUE counter = rb_gv_get("$.");
        VALUE line = rb_io_gets(file);
        int number = 1;
        bool first = true;
        while (!NIL_P(line)) {
                bool marked = first || strncmp(StringValueCStr(line), "#!", 2) == 0;
                if (marked && strstr(StringValueCStr(line), "ruby"))
                        break;
                line = rb_io_gets(file);
                first = false;
                number++;
        }
        if (NIL_P(line) && first)
                return 1; /* the file has only the two characters `#!`, and counts as empty */
        if (NIL_P(line))
                rb_raise(rb_eLoadError, "no Ruby script found in input");
        take_switches(StringValueCStr(line));
        rb_io_ungetbyte(file, rb_str_new_cstr("#!\n")); /* in place of the line, so that line numbers stay right */
        rb_gv_set("$.", counter);
        return number;
}

static VALUE open_program(const char *entry)
{
        int fd = open(entry, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                rb_raise(rb_eLoadError, "%s -- %s", strerror(errno), entry);
        rb_update_max_fd(fd);
        fcntl(fd, F_SETFL, 0);
        return rb_io_fdopen(fd, O_RDONLY, entry);
}

static VALUE real_path_of(const char *entry)
{
        char path[PATH_MAX];
        if (!realpath(entry, path))
                rb_sys_fail(entry);
        return rb_external_str_new_cstr(path);
}

/* NULL: the program has syntax errors, which are printed. */
static const struct rb_iseq *compile(const char *entry)
{
        VALUE name = rb_obj_freeze(rb_external_str_new_cstr(entry));
        VALUE file = open_program(entry);
        rb_funcall(file, rb_intern("set_encoding"), 1, rb_enc_from_encoding(rb_ascii8bit_encoding()));
        int line = skip_to_program(file);
        ruby_set_script_name(name); /* until here errors begin with "ruby", from here on with the script's name */

        VALUE parser = rb_parser_new();
        rb_parser_set_context(parser, NULL, 1);
        rb_funcall(file, rb_intern("set_encoding"), 2, rb_enc_from_encoding(rb_utf8_encoding()), rb_str_new_cstr("-"));
        struct rb_ast *volatile ast = rb_parser_compile_file_path(parser, name, file, line);
        rb_funcall(file, rb_intern("set_encoding"), 1, rb_parser_encoding(parser));
        if (RTEST(rb_parser_end_seen_p(parser)))
                rb_define_global_const("DATA", file);
        else
                rb_io_close(file);

        const struct rb_iseq *iseq = NULL;
        if (ast->body.root)
                iseq = rb_iseq_new_main(&ast->body, name, real_path_of(entry), toplevel()->iseq, 1);
        rb_ast_dispose(ast);
        RB_GC_GUARD(parser);
        return iseq;
}

static VALUE compile_program(VALUE arg)
{
        struct program *p = (struct program *)arg;
        p->iseq = compile(p->entry);
        return Qnil;
}

/* ---------------------------------------------------------------- echo */

static VALUE run_program(VALUE arg)
{
        struct program *p = (struct program *)arg;
        p->value = rb_iseq_eval_main(p->iseq);
        return Qnil;
}

/* A program of comments alone has no expression: its bytecode has no line. */
static VALUE has_expression(VALUE iseq)
{
        return RARRAY_LEN(rb_funcall(rb_iseqw_new((const struct rb_iseq *)iseq), rb_intern("trace_points"), 0)) > 0
                       ? Qtrue
                       : Qfalse;
}

static VALUE text_of(VALUE value)
{
        rb_require("pp");
        return rb_funcall(rb_funcall(value, rb_intern("pretty_inspect"), 0), rb_intern("chomp"), 0);
}

static VALUE no_text(VALUE unused, VALUE exception)
{
        (void)unused;
        (void)exception;
        rb_io_write(rb_stdout, rb_str_new_cstr("(Object doesn't support #inspect)\n"));
        return rb_str_new_cstr("");
}

/* Prints irb's form of a value: `=> 42`; a value of several lines begins on a line of its own. */
static VALUE print_value(VALUE arg)
{
        struct program *p = (struct program *)arg;
        if (has_expression((VALUE)p->iseq) == Qfalse)
                return Qnil;
        VALUE text = rb_rescue(text_of, p->value, no_text, Qnil);
        bool lines = memchr(RSTRING_PTR(text), '\n', (size_t)RSTRING_LEN(text)) != NULL;
        rb_io_write(rb_stdout, rb_str_new_cstr(lines ? "=> \n" : "=> "));
        rb_io_write(rb_stdout, text);
        rb_io_write(rb_stdout, rb_str_new_cstr("\n"));
        return Qnil;
}

static int run_and_echo(struct program *p)
{
        int state;
        rb_gc_register_address(&p->value);
        rb_protect(run_program, (VALUE)p, &state);
        if (state == 0)
                rb_protect(print_value, (VALUE)p, &state);
        return ruby_cleanup(state);
}

int ruby_main_run(const char *entry, bool echo)
{
        struct program p = { .entry = entry, .echo = echo, .value = Qnil };
        int state;
        rb_protect(compile_program, (VALUE)&p, &state);
        if (state != 0)
                return ruby_cleanup(state);
        if (!p.iseq)
                return 1; /* nothing of the program has run, so no exit hook is due */
        return p.echo ? run_and_echo(&p) : ruby_run_node((void *)p.iseq);
}
