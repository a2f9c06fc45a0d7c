#include "common/b64.h"

#include <string.h>

#include "unit.h"

static int decode(const char *text, struct buf *out)
{
    buf_reset(out);
    return b64url_decode(text, strlen(text), out);
}

static void test_url(void)
{
    /* RFC 4648 section 10 without padding, and RFC 7515 appendix C. */
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\x03\xec\xff\xe0\xc1"};
    static const char *const text[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy", "A-z_4ME"};
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        buf_reset(&b);
        CU_ASSERT_EQUAL(b64url_encode(plain[i], strlen(plain[i]), &b), 0);
        CU_ASSERT_STRING_EQUAL(buf_str(&b), text[i]);
        CU_ASSERT_EQUAL(decode(text[i], &b), 0);
        CU_ASSERT_EQUAL(b.len, strlen(plain[i]));
        CU_ASSERT_STRING_EQUAL(buf_str(&b), plain[i]);
    }
    buf_free(&b);
}

static void test_all_octets(void)
{
    struct buf text = BUF_INIT, back = BUF_INIT;
    unsigned char all[256];

    for (unsigned i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (size_t len = 0; len <= 256; len++) {
        buf_reset(&text);
        buf_reset(&back);
        CU_ASSERT_EQUAL_FATAL(b64url_encode(all, len, &text), 0);
        CU_ASSERT_EQUAL_FATAL(b64url_decode(buf_str(&text), text.len, &back), 0);
        CU_ASSERT(back.len == len && memcmp(buf_str(&back), all, len) == 0);
        buf_reset(&text);
        buf_reset(&back);
        CU_ASSERT_EQUAL_FATAL(b64mime_encode(all, len, "\r\n", &text), 0);
        CU_ASSERT_EQUAL_FATAL(b64mime_decode(buf_str(&text), text.len, &back), 0);
        CU_ASSERT(back.len == len && memcmp(buf_str(&back), all, len) == 0);
    }
    buf_free(&text);
    buf_free(&back);
}

/* Past the length up to which no table is used. */
static void test_bulk(void)
{
    static unsigned char data[40000];
    struct buf text = BUF_INIT, back = BUF_INIT;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 167 >> 3);
    for (size_t len = 16380; len < 16390; len++)
        for (size_t more = 0; more < 20000; more += 19000) {
            buf_reset(&text);
            buf_reset(&back);
            CU_ASSERT_EQUAL(b64url_encode(data, len + more, &text), 0);
            CU_ASSERT_EQUAL(text.len, ((len + more) * 4 + 2) / 3);
            CU_ASSERT_EQUAL(strspn(buf_str(&text), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                            text.len);
            CU_ASSERT_EQUAL(b64url_decode(buf_str(&text), text.len, &back), 0);
            CU_ASSERT(back.len == len + more && memcmp(back.data, data, back.len) == 0);
            for (size_t at = 0; at < text.len; at += text.len / 7) {
                unsigned char was = text.data[at];

                text.data[at] = '=';
                buf_reset(&back);
                CU_ASSERT_EQUAL(b64url_decode(buf_str(&text), text.len, &back), ERR_SYNTAX);
                CU_ASSERT_EQUAL(back.len, 0);
                text.data[at] = was;
            }
        }
    buf_free(&text);
    buf_free(&back);
}

static void test_url_refused(void)
{
    static const char *const bad[] = {"A",    "Zg==", "Zm9v\n",  " Zm9v",
                                      "Zm9+", "Zm9/", "Zh", /* trailing bits */
                                      "Zm9",  "Z$==", "Zm9vYg=", "\x80\x80\x80\x80"};
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&b);
        CU_ASSERT_EQUAL(buf_puts(&b, "keep"), 0);
        CU_ASSERT_EQUAL(b64url_decode(bad[i], strlen(bad[i]), &b), ERR_SYNTAX);
        CU_ASSERT_STRING_EQUAL(buf_str(&b), "keep");
    }
    /* every octet outside the alphabet */
    for (unsigned c = 0; c < 256; c++) {
        char quad[4] = {'A', 'A', 'A', (char)c};
        int in = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", (int)c) != NULL;

        buf_reset(&b);
        CU_ASSERT_EQUAL(b64url_decode(quad, 4, &b), in ? 0 : ERR_SYNTAX);
    }
    b.max = 3;
    buf_reset(&b);
    CU_ASSERT_EQUAL(b64url_decode("AAAAAAAA", 8, &b), ERR_LIMIT);
    buf_free(&b);
}

static void test_mime(void)
{
    static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v-", "Zm9v*", "="};
    struct buf b = BUF_INIT;
    char data[60];

    memset(data, 'x', sizeof data);
    CU_ASSERT_EQUAL(b64mime_encode(data, 58, "\n", &b), 0);
    CU_ASSERT_EQUAL(b.len, 76 + 1 + 4 + 1);
    CU_ASSERT_STRING_EQUAL(buf_str(&b) + 77, "eA==\n");
    buf_reset(&b);
    CU_ASSERT_EQUAL(b64mime_decode(" Zm\r\n9v\tYg ==\r\n", 15, &b), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&b), "foob");
    buf_reset(&b);
    CU_ASSERT_EQUAL(b64mime_decode("", 0, &b), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(b64mime_decode(bad[i], strlen(bad[i]), &b), ERR_SYNTAX);
        CU_ASSERT_EQUAL(b.len, 0);
    }
    buf_free(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"base64url of RFC 4648 and RFC 7515", test_url},
        {"every length up to 256 comes back", test_all_octets},
        {"long texts", test_bulk},
        {"base64url refuses all other texts", test_url_refused},
        {"base64 of MIME", test_mime},
    };
    return unit_main("b64", tests, sizeof tests / sizeof *tests);
}
