/* Frames one after another, as a peer sends them.
 * identity: what is taken can be put and taken again, and is the same. */
#include <stdint.h>
#include <stdlib.h>

#include "common/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct json_object *obj, *again;
    struct buf b = BUF_INIT;
    size_t used, used_again;

    while (frame_take(data, len, FRAME_REQUEST_MAX, &obj, &used, NULL) == 1) {
        if (used > len || used < 6)
            abort();
        /* One octet less is never a frame. */
        if (frame_take(data, used - 1, FRAME_REQUEST_MAX, &again, &used_again, NULL) != 0 || again)
            abort();
        if (frame_put(obj, FRAME_REPLY_MAX, &b, NULL) < 0 ||
            frame_take(b.data, b.len, FRAME_REPLY_MAX, &again, &used_again, NULL) != 1 || used_again != b.len ||
            !json_object_equal(obj, again))
            abort();
        json_object_put(again);
        json_object_put(obj);
        buf_reset(&b);
        data += used;
        len -= used;
    }
    buf_free(&b);
    return 0;
}
