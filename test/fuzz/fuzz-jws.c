/* JWS. 'P' before a protected header in clear.
 * identity: what parses gives, put together as compact text, the same parts again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/jws.h"

static const char fuzz_key[] =
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";

static int same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void check(const void *data, size_t len, const struct jwk *key)
{
    struct buf text = BUF_INIT;
    struct jws j, again;

    if (jws_parse(data, len, &j, NULL) < 0) {
        if (j.header || j.payload.data)
            abort();
        return;
    }
    jws_kid(&j);
    jws_verify(&j, key, NULL, 0, NULL);
    jws_verify(&j, key, "x", 1, NULL);
    if (buf_append(&text, j.signing_input.data, j.signing_input.len) < 0 || buf_puts(&text, ".") < 0 ||
        b64url_encode(buf_str(&j.signature), j.signature.len, &text) < 0 ||
        jws_parse(text.data, text.len, &again, NULL) < 0 || !same(&j.payload, &again.payload) ||
        !same(&j.signature, &again.signature) || !same(&j.signing_input, &again.signing_input))
        abort();
    jws_clear(&j);
    jws_clear(&again);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwk *key;
    struct buf text = BUF_INIT;

    if (!key && jwk_parse(fuzz_key, strlen(fuzz_key), &key, NULL) < 0)
        abort();
    if (size && data[0] == 'P') {
        if (b64url_encode(data + 1, size - 1, &text) < 0 || buf_puts(&text, ".AAAA.AAAA") < 0)
            abort();
        check(text.data, text.len, key);
        buf_free(&text);
    } else {
        check(data, size, key);
    }
    return 0;
}
