/* Decodes and encodes protobuf in flat buffers, by tables: see pbspan.h. */
#include "proto/wire/pbspan.h"

#include "hatchery.pb.h"
#include "proto/base/own.h"
#include "proto/base/utf8.h"

#include <errno.h>
#include <pb_decode.h>
#include <string.h>

/* ---------------------------------------------------------------- decoding */

/* Takes a length-delimited field as a span of the stream's buffer, and moves the stream behind the field. Only this
 * function relies on the fact that stream->state of nanopb's buffer streams is the position in the buffer. */
static bool take_span(pb_istream_t *stream, struct span *span)
{
        uint32_t len;
        if (!pb_decode_varint32(stream, &len) || len > stream->bytes_left)
                return false;
        span->data = stream->state;
        span->len = len;
        return pb_read(stream, NULL, len);
}

static int refuse_damaged(const struct pbspan_message *m, struct err *e)
{
        return err_say(e, EPROTO, "the message %s is damaged or cut short; is it encoded by a protobuf library?",
                       m->name);
}

static int check_text(const struct pbspan_message *m, const struct pbspan_field *f, struct span s, struct err *e)
{
        if (s.len == 0)
                return 0;
        if (memchr(s.data, '\0', s.len))
                return err_say(e, EPROTO, "field %s of %s holds a NUL byte; remove it", f->name, m->name);
        size_t valid = utf8_prefix(s.data, s.len);
        if (valid != s.len)
                return err_say(e, EPROTO, "field %s of %s is not valid UTF-8 from byte %zu on; encode it as UTF-8",
                               f->name, m->name, valid);
        return 0;
}

static int decode_content(const struct pbspan_message *m, const struct pbspan_field *f, pb_istream_t *stream,
                          void *target, struct err *e)
{
        struct span s;
        if (!take_span(stream, &s))
                return refuse_damaged(m, e);

        size_t longest = f->kind == PBSPAN_CHARS ? f->max - 1 : f->max ? f->max : SIZE_MAX;
        if (s.len > longest)
                return err_say(e, EPROTO, "field %s of %s has %zu bytes; at most %zu are taken", f->name, m->name,
                               s.len, longest);
        if (f->kind == PBSPAN_TEXT || f->kind == PBSPAN_CHARS) {
                int r = check_text(m, f, s, e);
                if (r < 0)
                        return r;
        }

        if (f->add)
                return f->add(target, s, e);
        char *at = (char *)target + f->offset;
        if (f->kind == PBSPAN_CHARS) {
                if (s.len > 0)
                        memcpy(at, s.data, s.len);
                at[s.len] = '\0';
        } else {
                memcpy(at, &s, sizeof s);
        }
        return 0;
}

static int decode_number(const struct pbspan_message *m, const struct pbspan_field *f, pb_istream_t *stream,
                         void *target, struct err *e)
{
        uint64_t value;
        if (!pb_decode_varint(stream, &value))
                return refuse_damaged(m, e);

        /* Negative numbers of 32 bits are encoded with 64 bits, so this conversion gives the right sign. */
        int64_t sign = (int64_t)value;
        char *at = (char *)target + f->offset;
        switch (f->kind) {
        case PBSPAN_BOOL:
                memcpy(at, &(bool){ value != 0 }, sizeof(bool));
                return 0;
        case PBSPAN_INT32:
                if (sign < INT32_MIN || sign > INT32_MAX)
                        break;
                memcpy(at, &(int32_t){ (int32_t)sign }, sizeof(int32_t));
                return 0;
        case PBSPAN_UINT32:
                if (value > UINT32_MAX)
                        break;
                memcpy(at, &(uint32_t){ (uint32_t)value }, sizeof(uint32_t));
                return 0;
        default:
                memcpy(at, &value, sizeof value);
                return 0;
        }
        return err_say(e, EPROTO, "field %s of %s does not fit into 32 bits; send a smaller number", f->name, m->name);
}

static const struct pbspan_field *find_field(const struct pbspan_message *m, uint32_t tag)
{
        for (size_t i = 0; i < m->n_fields; i++)
                if (m->fields[i].tag == tag)
                        return &m->fields[i];
        return NULL;
}

/* The bound on unknown fields. Skipping a field costs time, too, and a small compressed frame could hold millions of
 * unknown fields. */
enum { MAX_UNKNOWN = 256 };

struct seen {
        bool oneof;
        size_t unknown;
        size_t count[PBSPAN_MAX_FIELDS];
};

static int check_times(const struct pbspan_message *m, const struct pbspan_field *f, struct seen *seen, struct err *e)
{
        size_t count = ++seen->count[f - m->fields];

        switch (f->times) {
        case PBSPAN_ONEOF:
                if (seen->oneof)
                        return err_say(e, EPROTO, "%s holds more than one of its kinds (%s came second); send one",
                                       m->name, f->name);
                seen->oneof = true;
                return 0;
        case PBSPAN_MANY:
                if (count > f->max_count)
                        return err_say(e, EPROTO, "field %s of %s comes more than %zu times; send fewer", f->name,
                                       m->name, f->max_count);
                return 0;
        case PBSPAN_ONCE:
        default:
                if (count > 1)
                        return err_say(e, EPROTO, "field %s of %s comes twice; send it once", f->name, m->name);
                return 0;
        }
}

int pbspan_decode(const struct pbspan_message *m, struct span content, void *target, struct err *e)
{
        pb_istream_t stream = pb_istream_from_buffer(content.data, content.len);
        struct seen seen = { 0 };

        while (stream.bytes_left > 0) {
                pb_wire_type_t wire;
                uint32_t tag;
                bool eof;
                if (!pb_decode_tag(&stream, &wire, &tag, &eof) || tag == 0)
                        return refuse_damaged(m, e);

                const struct pbspan_field *f = find_field(m, tag);
                if (!f) {
                        if (++seen.unknown > MAX_UNKNOWN)
                                return err_say(e, EPROTO,
                                               "%s has more than %d fields that are unknown here; is your "
                                               ".proto this server's?",
                                               m->name, MAX_UNKNOWN);
                        if (!pb_skip_field(&stream, wire))
                                return refuse_damaged(m, e);
                        continue;
                }

                bool number = f->kind <= PBSPAN_UINT64;
                if (wire != (number ? PB_WT_VARINT : PB_WT_STRING))
                        return err_say(e, EPROTO,
                                       "field %s of %s has the wrong wire type; is your .proto this server's?", f->name,
                                       m->name);
                int r = check_times(m, f, &seen, e);
                if (r == 0)
                        r = number ? decode_number(m, f, &stream, target, e) : decode_content(m, f, &stream, target, e);
                if (r < 0)
                        return r;
                if (f->has)
                        memcpy((char *)target + f->has, &(bool){ true }, sizeof(bool));
        }
        return 0;
}

uint64_t pbspan_find_uint64(struct span content, uint32_t tag)
{
        pb_istream_t stream = pb_istream_from_buffer(content.data, content.len);
        pb_wire_type_t wire;
        uint32_t found;
        uint64_t value;
        bool eof;

        for (size_t i = 0; i < MAX_UNKNOWN && stream.bytes_left > 0; i++) {
                if (!pb_decode_tag(&stream, &wire, &found, &eof))
                        return 0;
                if (found == tag && wire == PB_WT_VARINT)
                        return pb_decode_varint(&stream, &value) ? value : 0;
                if (!pb_skip_field(&stream, wire))
                        return 0;
        }
        return 0;
}

bool pbspan_next(struct span *rest, uint32_t *tag, struct span *field)
{
        pb_istream_t stream = pb_istream_from_buffer(rest->data, rest->len);
        pb_wire_type_t wire;
        bool eof;

        if (rest->len == 0 || !pb_decode_tag(&stream, &wire, tag, &eof) || !pb_skip_field(&stream, wire))
                return false;
        *field = (struct span){ rest->data, rest->len - stream.bytes_left };
        *rest = (struct span){ rest->data + field->len, stream.bytes_left };
        return true;
}

void *pbspan_grow(void **array, size_t n, size_t element_size)
{
        bool full = n == 0 || (n >= 4 && (n & (n - 1)) == 0);
        if (full) {
                void *larger = reallocarray(*array, n == 0 ? 4 : 2 * n, element_size);
                if (!larger)
                        return NULL;
                *array = larger;
        }
        return memset((char *)*array + n * element_size, 0, element_size);
}

/* ---------------------------------------------------------------- encoding */

static bool write_present(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct span *s = *arg;
        return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, s->data, s->len);
}

static bool write_span(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct span *s = *arg;
        return s->len == 0 || write_present(stream, field, arg);
}

static bool write_files(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct pbspan_files *list = *arg;
        for (size_t i = 0; i < list->n; i++) {
                const struct file_span *f = &list->files[i];
                hatchery_v1_File file = {
                        .name = pbspan_of_span(&f->name),
                        .content = pbspan_of_span(&f->content),
                        .mode = f->mode,
                        .raw_name = pbspan_of_span(&f->raw_name),
                };
                if (!pb_encode_tag_for_field(stream, field) ||
                    !pb_encode_submessage(stream, hatchery_v1_File_fields, &file))
                        return false;
        }
        return true;
}

pb_callback_t pbspan_of_span(const struct span *s)
{
        return (pb_callback_t){ .funcs.encode = write_span, .arg = (void *)s };
}

pb_callback_t pbspan_of_present_span(const struct span *s)
{
        return (pb_callback_t){ .funcs.encode = write_present, .arg = (void *)s };
}

pb_callback_t pbspan_of_files(const struct pbspan_files *files)
{
        return (pb_callback_t){ .funcs.encode = write_files, .arg = (void *)files };
}

/* nanopb measures every submessage before it writes the submessage. Measuring a span looks only at the span's length.
 * So the bytes themselves are read only once, at any depth. */
int pbspan_encode(const pb_msgdesc_t *message, const void *from, size_t room, uint8_t **out, size_t *out_len,
                  struct err *e)
{
        pb_ostream_t sizing = PB_OSTREAM_SIZING;
        if (!pb_encode(&sizing, message, from))
                return err_say(e, EINVAL, "a message can't be encoded (%s)", PB_GET_ERROR(&sizing));

        size_t len = sizing.bytes_written;
        OWN_MEM uint8_t *memory = malloc(room + len + 1);
        if (!memory)
                return err_set(e, ENOMEM, "encoding a message of %zu bytes", len);
        pb_ostream_t stream = pb_ostream_from_buffer(memory + room, len);
        if (!pb_encode(&stream, message, from) || stream.bytes_written != len)
                return err_say(e, EINVAL, "a message can't be encoded (%s)", PB_GET_ERROR(&stream));

        *out = own_steal_ptr(&memory);
        *out_len = len;
        return 0;
}
