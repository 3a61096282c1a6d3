/* Ends a process without Ruby's full end: see end.h. */
#include "lang/ruby/end.h"

#include <link.h>
#include <ruby.h>
#include <ruby/io.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TYPES = 32, MAX_FILES = 1024 };

struct ruby_end {
        uintptr_t start, stop;        /* bounds of libruby's memory, which holds its own types */
        const void *types[MAX_TYPES]; /* types of other libraries' objects in the zygote */
        int n_types;
        bool noting; /* true: records the objects of the zygote; false: looks for objects that need Ruby's full end */
        bool needs_all; /* an object, or the number of objects, needs Ruby's full end */
        bool known;     /* status is the program's exit status */
        int status;
        VALUE files[MAX_FILES]; /* File objects with unwritten output */
        int n_files;
};

/* Exported by libruby without a header. */
void rb_objspace_each_objects(int (*callback)(void *, void *, size_t, void *), void *data);

/* Ruby's callbacks take a VALUE. The garbage collector follows a VALUE unless it is a number, so the pointer is passed
 * as a number. */
static VALUE wrap(struct ruby_end *end)
{
        return ULONG2NUM((uintptr_t)end);
}

static struct ruby_end *unwrap(VALUE value)
{
        return (struct ruby_end *)NUM2ULONG(value); /* NOLINT(performance-no-int-to-ptr): see wrap */
}

/* ---------------------------------------------------------------- objects */

static void see_type(struct ruby_end *end, const void *type)
{
        uintptr_t at = (uintptr_t)type;
        if (at >= end->start && at < end->stop)
                return;
        for (int i = 0; i < end->n_types; i++)
                if (end->types[i] == type)
                        return;
        if (end->noting && end->n_types < MAX_TYPES)
                end->types[end->n_types++] = type;
        else
                end->needs_all = true;
}

static void see_data(struct ruby_end *end, VALUE object)
{
        bool typed = RTYPEDDATA_P(object);
        RUBY_DATA_FUNC release = typed ? RTYPEDDATA_TYPE(object)->function.dfree : RDATA(object)->dfree;
        if (DATA_PTR(object) && release && release != RUBY_DEFAULT_FREE)
                see_type(end, typed ? (const void *)RTYPEDDATA_TYPE(object) : (const void *)(uintptr_t)release);
}

static void see_file(struct ruby_end *end, VALUE object)
{
        const rb_io_t *file = RFILE(object)->fptr;
        if (!file || file->fd < 0 || file->wbuf.len == 0)
                return;
        if (end->n_files == MAX_FILES)
                end->needs_all = true;
        else
                end->files[end->n_files++] = object;
}

static int see_objects(void *start, void *stop, size_t stride, void *context)
{
        struct ruby_end *end = context;
        for (char *at = start; at < (char *)stop; at += stride) {
                VALUE object = (VALUE)at;
                switch (RB_BUILTIN_TYPE(object)) {
                case RUBY_T_DATA:
                        see_data(end, object);
                        break;
                case RUBY_T_FILE:
                        see_file(end, object);
                        break;
                default:
                        break;
                }
        }
        return 0;
}

/* ---------------------------------------------------------------- the end */

/* The last exit hook. An earlier exit hook may have raised an error. */
static void note_status(VALUE wrapped)
{
        struct ruby_end *end = unwrap(wrapped);
        VALUE error = rb_errinfo();
        end->known = false;
        if (NIL_P(error)) {
                end->status = 0;
                end->known = true;
        } else if (RTEST(rb_obj_is_kind_of(error, rb_eSystemExit))) {
                VALUE status = rb_attr_get(error, rb_intern("status"));
                end->known = FIXNUM_P(status);
                end->status = end->known ? (int)FIX2LONG(status) : 0;
        }
}

static VALUE flush_all(VALUE wrapped)
{
        struct ruby_end *end = unwrap(wrapped);
        for (int i = 0; i < end->n_files; i++)
                rb_io_flush(end->files[i]);
        return Qnil;
}

/* The last finalizer. If a stream can't be flushed, the function returns, and Ruby's full end reports the error. */
static VALUE leave(RB_BLOCK_CALL_FUNC_ARGLIST(unused, wrapped))
{
        struct ruby_end *end = unwrap(wrapped);
        int failed = 0;
        (void)unused;
        (void)argc;
        (void)argv;
        (void)blockarg;
        if (!end->known)
                return Qnil;
        end->n_files = 0;
        rb_objspace_each_objects(see_objects, end);
        if (end->needs_all)
                return Qnil;
        rb_protect(flush_all, wrapped, &failed);
        if (failed) {
                rb_set_errinfo(Qnil);
                return Qnil;
        }
        fflush(NULL); /* C's own streams, which extensions may have printed to */
        _exit(end->status);
}

/* ---------------------------------------------------------------- start */

static int find_libruby(struct dl_phdr_info *info, size_t size, void *context)
{
        struct ruby_end *end = context;
        (void)size;
        if (!strstr(info->dlpi_name, "/libruby-"))
                return 0;
        end->start = info->dlpi_addr;
        for (int i = 0; i < info->dlpi_phnum; i++) {
                uintptr_t stop = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
                if (info->dlpi_phdr[i].p_type == PT_LOAD && stop > end->stop)
                        end->stop = stop;
        }
        return 1;
}

struct ruby_end *ruby_end_prepare(void)
{
        struct ruby_end *end = calloc(1, sizeof *end);
        if (!end)
                return NULL;
        dl_iterate_phdr(find_libruby, end);
        rb_set_end_proc(note_status, wrap(end));
        VALUE carrier = rb_obj_alloc(rb_cObject);
        rb_gc_register_mark_object(carrier);
        rb_define_finalizer(carrier, rb_proc_new(leave, wrap(end)));
        return end;
}

void ruby_end_note_preloaded(struct ruby_end *end)
{
        end->noting = true;
        rb_objspace_each_objects(see_objects, end);
        end->noting = false;
}
