/* JWK; a key that is accepted has both names.
 * identity: it is written and read to the same text again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"
#include "common/sjson.h"

static void write_key(const struct jwk *k, struct buf *out)
{
    struct json_object *obj;

    if (jwk_to_json(k, 1, &obj, NULL) < 0 || sjson_write(obj, out) < 0)
        abort();
    sjson_free_secret(&obj);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char thumbprint[JWK_THUMBPRINT_SIZE], udf[JWK_UDF_SIZE];
    struct buf one = BUF_INIT, two = BUF_INIT;
    struct jwk *k, *again;

    if (jwk_parse(data, size, &k, NULL) < 0) {
        if (k)
            abort();
        return 0;
    }
    write_key(k, &one);
    if (jwk_parse(one.data, one.len, &again, NULL) < 0)
        abort();
    write_key(again, &two);
    if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0 || !jwk_equal(k, again) ||
        jwk_thumbprint(k, thumbprint) < 0 || jwk_udf(k, udf) < 0)
        abort();
    jwk_free(&k);
    jwk_free(&again);
    buf_free(&one);
    buf_free(&two);
    return 0;
}
