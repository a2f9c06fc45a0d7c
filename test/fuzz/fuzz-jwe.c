/* JWE, in each form that the octets are; nothing opens.
 * identity: parse, write, parse, write gives the same text.
 * An input that begins with 'P' is a protected header in clear, so that the fuzzer need not learn base64. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/jwe-private.h"
#include "common/jwe.h"

static const char fuzz_key[] =
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"d\":\"XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os\","
    "\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08\"}";

static void check(int ok)
{
    if (!ok)
        abort();
}

static void round_trip(const void *data, size_t len, enum jwe_form form, const struct jwk *key)
{
    struct buf ciphertext = BUF_INIT, again_ciphertext = BUF_INIT, one = BUF_INIT, two = BUF_INIT, plain = BUF_INIT;
    const struct buf *c = form == JWE_WHOLE ? &ciphertext : NULL;
    struct jwe *j, *again;
    struct jwe_recipient to;
    struct grant g;

    if (jwe_parse_as(data, len, form, 0, &j, &ciphertext, NULL) < 0) {
        check(!j && ciphertext.len == 0);
        buf_free(&ciphertext);
        return;
    }
    check(jwe_write(j, c, &one, NULL) == 0);
    check(jwe_parse_as(one.data, one.len, form, 0, &again, &again_ciphertext, NULL) == 0);
    check(jwe_write(again, c ? &again_ciphertext : NULL, &two, NULL) == 0);
    check(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    for (size_t i = 0; i < jwe_recipients(j); i++) {
        jwe_recipient(j, i, &to, NULL);
        for (size_t n = 0; n < jwe_grants(j, i); n++)
            if (jwe_grant(j, i, n, &g, NULL) == 0) {
                check(jwe_set_grants(again, i, &g, 1, NULL) == 0 && jwe_grants(again, i) == 1);
                grant_clear(&g);
            }
        check(jwe_set_grants(again, i, NULL, 0, NULL) == 0 && jwe_grants(again, i) == 0);
    }
    if (form == JWE_KEYS_ONLY)
        jwe_unwrap_key(j, key, &plain, NULL);
    else if (jwe_decrypt(j, key, &ciphertext, &plain, NULL) < 0)
        check(plain.len == 0);
    jwe_free(&j);
    jwe_free(&again);
    buf_free(&ciphertext);
    buf_free(&again_ciphertext);
    buf_free(&one);
    buf_free(&two);
    buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwk *key;
    struct buf text = BUF_INIT;
    struct jwe *peeked;

    if (!key)
        check(jwk_parse(fuzz_key, strlen(fuzz_key), &key, NULL) == 0);
    if (size && data[0] == 'P') {
        check(b64url_encode(data + 1, size - 1, &text) == 0);
        check(buf_puts(&text, ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAA.AAAA."
                              "AAAAAAAAAAAAAAAAAAAAAA") == 0);
        round_trip(text.data, text.len, JWE_WHOLE, key);
        buf_free(&text);
        return 0;
    }
    check((jwe_peek(data, size, &peeked, NULL) == 0) == (peeked != NULL));
    jwe_free(&peeked);
    round_trip(data, size, JWE_WHOLE, key);
    round_trip(data, size, JWE_DETACHED, key);
    round_trip(data, size, JWE_KEYS_ONLY, key);
    return 0;
}
