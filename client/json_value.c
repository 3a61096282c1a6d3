/* Values of JSON: see json_value.h. */
#include "client/json_value.h"

#include "client/base64.h"
#include "client/text.h"
#include "proto/base/own.h"

#include <stdbool.h>
#include <string.h>

json_t *json_of_text(const void *data, size_t len)
{
        size_t repaired_len = 0;
        OWN_MEM char *repaired = text_to_utf8(data, len, &repaired_len);
        return repaired ? json_stringn(repaired, repaired_len) : NULL;
}

json_t *json_of_string(const char *text)
{
        return json_of_text(text, strlen(text));
}

json_t *json_of_bytes(struct span s)
{
        size_t len = 0;
        OWN_MEM char *text = base64_encode(s.data, s.len, &len);
        return text ? json_stringn_nocheck(text, len) : NULL;
}

json_t *json_of_number(uint64_t n)
{
        return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *json_of_members(const struct json_member *members, size_t n)
{
        json_t *object = json_object();
        bool complete = object != NULL;
        for (size_t i = 0; i < n; i++)
                if (json_object_set_new(object, members[i].name, members[i].value) < 0)
                        complete = false;
        if (complete)
                return object;
        json_decref(object);
        return NULL;
}

json_t *json_with(json_t *list, json_t *value)
{
        if (json_array_append_new(list, value) == 0)
                return list;
        json_decref(list);
        return NULL;
}
