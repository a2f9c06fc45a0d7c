/* What the validator passes, json-c takes.
 * identity: what parses is written, read and written to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/sjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct json_object *obj, *again;

    if (sjson_validate(data, size, NULL, NULL) < 0)
        return 0;
    if (sjson_parse(data, size, NULL, &obj, NULL) < 0)
        abort();
    if (sjson_write(obj, &first) < 0 || sjson_parse(buf_str(&first), first.len, NULL, &again, NULL) < 0 ||
        sjson_write(again, &second) < 0 || first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
        abort();
    json_object_put(obj);
    json_object_put(again);
    buf_free(&first);
    buf_free(&second);
    return 0;
}
