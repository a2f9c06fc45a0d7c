/* Public values, and values to combine: any two combine or are refused. First octet: which curve.
 * identity: whatever public value is accepted opens alike for the whole key and for a split one, and is the same again
 * when it was written as a JWK and read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"
#include "common/sjson.h"
#include "common/suite.h"

enum { CURVES = 3 };

static struct suite_key *whole[CURVES], *service[CURVES], *member[CURVES];

static void setup(void)
{
    for (size_t i = 0; i < CURVES; i++)
        if (suite_generate(suite_at(i), &whole[i], NULL) < 0 ||
            suite_split(whole[i], &service[i], &member[i], NULL) < 0)
            abort();
}

static void opens_alike(size_t i, const struct suite_peer *p)
{
    unsigned char a[SUITE_VALUE_MAX], r[SUITE_VALUE_MAX], b[SUITE_VALUE_MAX], out[2 * SUITE_VALUE_MAX];
    size_t len = suite_value_len(suite_at(i));

    if (suite_agree(whole[i], p, a, NULL) < 0 || suite_agree(service[i], p, r, NULL) < 0 ||
        suite_agree(member[i], p, b, NULL) < 0 || suite_combine(suite_at(i), r, b, out, NULL) < 0 ||
        (memcmp(a, out, len) != 0 && memcmp(a, out + len, len) != 0))
        abort();
}

static void same_as_jwk(size_t i, const uint8_t *data, size_t len)
{
    struct json_object *obj = json_object_new_object(), *out = NULL;
    const char *kty = suite_kty(suite_at(i));
    size_t half = strcmp(kty, "EC") ? len : len / 2, got;
    struct jwk *k = NULL;

    if (sjson_set_string(obj, "kty", kty) < 0 || sjson_set_string(obj, "crv", suite_name(suite_at(i))) < 0 ||
        sjson_set_b64(obj, "x", data, half) < 0 ||
        (half < len && sjson_set_b64(obj, "y", data + half, len - half) < 0) || jwk_from_json(obj, &k, NULL) < 0 ||
        memcmp(jwk_public(k, &got), data, len) != 0 || got != len || jwk_to_json(k, 0, &out, NULL) < 0 ||
        !json_object_equal(obj, out))
        abort();
    json_object_put(obj);
    json_object_put(out);
    jwk_free(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char values[2][SUITE_VALUE_MAX] = {{0}}, out[2 * SUITE_VALUE_MAX];
    struct suite_peer *p;
    size_t i, len;
    int r;

    if (!whole[0])
        setup();
    if (size < 1)
        return 0;
    i = data[0] % CURVES;
    data++;
    size--;
    if (suite_peer_new(suite_at(i), data, size, &p, NULL) == 0) {
        opens_alike(i, p);
        same_as_jwk(i, data, size);
        suite_peer_free(&p);
    }
    len = suite_value_len(suite_at(i));
    for (int v = 0; v < 2; v++) {
        size_t n = size < len ? size : len;

        memcpy(values[v], data, n);
        data += n;
        size -= n;
    }
    r = suite_combine(suite_at(i), values[0], values[1], out, NULL);
    if (r != 0 && r != ERR_CRYPTO)
        abort();
    return 0;
}
