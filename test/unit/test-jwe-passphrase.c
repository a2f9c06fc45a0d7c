/* JWEs under a passphrase (RFC 7518 section 4.8). */
#include <string.h>

#include "common/b64.h"
#include "common/jwe.h"
#include "unit.h"

#define ENC "\"enc\":\"A256GCM\""
#define EK "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char secret[] = "The Moon is a harsh mistress.";

static int open_with_p2c(const char *p2c)
{
    struct buf text = BUF_INIT, prot = BUF_INIT, plain = BUF_INIT;
    int r;

    CU_ASSERT_EQUAL(buf_printf(&prot,
                               "{\"alg\":\"PBES2-HS512+A256KW\"," ENC ",\"p2s\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"p2c\":%s}",
                               p2c),
                    0);
    CU_ASSERT_EQUAL(b64url_encode(prot.data, prot.len, &text), 0);
    CU_ASSERT_EQUAL(buf_puts(&text, "." EK ".AAAAAAAAAAAAAAAA.."
                                    "AAAAAAAAAAAAAAAAAAAAAA"),
                    0);
    r = jwe_open_passphrase("x", buf_str(&text), text.len, &plain, NULL);
    CU_ASSERT_EQUAL(plain.len, 0);
    buf_free(&text);
    buf_free(&prot);
    return r;
}

static void test_passphrase(void)
{
    struct buf text = BUF_INIT, plain = BUF_INIT;
    struct jwk *k;

    CU_ASSERT_EQUAL_FATAL(jwk_generate("X25519", &k, NULL), 0);
    CU_ASSERT_EQUAL(jwe_seal_passphrase("correct horse", secret, strlen(secret), &text, NULL), 0);
    CU_ASSERT_EQUAL(jwe_open_passphrase("correct horse", buf_str(&text), text.len, &plain, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&plain), secret);
    buf_reset(&plain);
    CU_ASSERT_EQUAL(jwe_open_passphrase("correct horsf", buf_str(&text), text.len, &plain, NULL), ERR_CRYPTO);
    CU_ASSERT_EQUAL(plain.len, 0);
    CU_ASSERT_EQUAL(jwe_open_compact(buf_str(&text), text.len, k, &plain, NULL), ERR_UNSUPPORTED);
    buf_reset(&text);
    CU_ASSERT_EQUAL(jwe_seal_compact(k, NULL, "x", 1, &text, NULL), 0);
    CU_ASSERT_EQUAL(jwe_open_passphrase("x", buf_str(&text), text.len, &plain, NULL), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(open_with_p2c("1000"), ERR_CRYPTO);
    CU_ASSERT_EQUAL(open_with_p2c("999"), ERR_LIMIT);
    CU_ASSERT_EQUAL(open_with_p2c("10000001"), ERR_LIMIT);
    CU_ASSERT_EQUAL(open_with_p2c("-1"), ERR_LIMIT);
    CU_ASSERT_EQUAL(open_with_p2c("1e3"), ERR_SYNTAX);
    jwk_free(&k);
    buf_free(&text);
    buf_free(&plain);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"passphrase", test_passphrase},
    };
    return unit_main("jwe-passphrase", tests, sizeof tests / sizeof *tests);
}
