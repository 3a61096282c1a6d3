/* Encoding answers: see answer.h. */
#include "proto/wire/answer.h"

#include "proto/base/utf8.h"
#include "proto/wire/pbspan.h"

#include <errno.h>

static bool write_languages(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct answer *a = *arg;
        for (size_t i = 0; i < a->n_languages; i++)
                if (!pb_encode_tag_for_field(stream, field) ||
                    !pb_encode_submessage(stream, hatchery_v1_LanguageStatus_fields, &a->languages[i]))
                        return false;
        return true;
}

static bool write_absent(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct answer *a = *arg;
        for (size_t i = 0; i < a->n_absent; i++)
                if (!pb_encode_tag_for_field(stream, field) ||
                    !pb_encode_submessage(stream, hatchery_v1_AbsentLanguage_fields, &a->absent[i]))
                        return false;
        return true;
}

int answer_encode(struct answer *a, size_t room, uint8_t **out, size_t *out_len, struct err *e)
{
        struct pbspan_files files = { a->files, a->n_files };
        hatchery_v1_Result *result = &a->m.answer.result;

        switch (a->m.which_answer) {
        case hatchery_v1_ServerMessage_result_tag:
                result->stdout = pbspan_of_span(&a->out);
                result->stderr = pbspan_of_span(&a->err);
                result->compile.stdout = pbspan_of_span(&a->compile_out);
                result->compile.stderr = pbspan_of_span(&a->compile_err);
                result->files = pbspan_of_files(&files);
                utf8_repair(result->files_note);
                break;
        case hatchery_v1_ServerMessage_error_tag:
                utf8_repair(a->m.answer.error.message);
                break;
        case hatchery_v1_ServerMessage_status_tag:
                a->m.answer.status.languages = (pb_callback_t){ .funcs.encode = write_languages, .arg = a };
                a->m.answer.status.absent = (pb_callback_t){ .funcs.encode = write_absent, .arg = a };
                break;
        case hatchery_v1_ServerMessage_output_tag:
                a->m.answer.output.bytes = pbspan_of_span(&a->out);
                break;
        case hatchery_v1_ServerMessage_pong_tag:
        case hatchery_v1_ServerMessage_cancelled_tag:
        case hatchery_v1_ServerMessage_credit_tag:
        case hatchery_v1_ServerMessage_stage_tag:
        case hatchery_v1_ServerMessage_signalled_tag:
                break;
        default:
                return err_say(e, EINVAL, "an answer of no kind can't be encoded");
        }

        a->m.cb_answer = (pb_callback_t){ 0 };
        int r = pbspan_encode(hatchery_v1_ServerMessage_fields, &a->m, room, out, out_len, e);
        if (a->m.which_answer == hatchery_v1_ServerMessage_result_tag)
                result->files = (pb_callback_t){ 0 }; /* result->files points to a variable of this function */
        return r;
}
