#include "udf.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

enum { UDF_BITS_MIN = 50, UDF_BITS_MAX = 250, UDF_BITS_STEP = 25, VERSION_SHA512 = 0x60, SHA512_LEN = 64, GROUP = 5 };

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* F of udf.h: the version octet and the outer digest. */
static int fingerprint(const char *content_type, const void *data, size_t len, unsigned char f[1 + SHA512_LEN])
{
    unsigned char inner[SHA512_LEN];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_Digest(data, len, inner, NULL, EVP_sha512(), NULL) == 1 &&
             EVP_DigestInit_ex(ctx, EVP_sha512(), NULL) == 1 &&
             EVP_DigestUpdate(ctx, content_type, strlen(content_type)) == 1 && EVP_DigestUpdate(ctx, ":", 1) == 1 &&
             EVP_DigestUpdate(ctx, inner, sizeof inner) == 1 && EVP_DigestFinal_ex(ctx, f + 1, NULL) == 1;

    f[0] = VERSION_SHA512;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : ERR_SYSTEM;
}

int udf_text(const char *content_type, const void *data, size_t len, unsigned bits, char *out)
{
    unsigned char f[1 + SHA512_LEN];
    int r;

    if (bits < UDF_BITS_MIN || bits > UDF_BITS_MAX || bits % UDF_BITS_STEP)
        return ERR_USAGE;
    if ((r = fingerprint(content_type, data, len, f)) < 0)
        return r;
    for (unsigned i = 0; i < bits / 5; i++) {
        unsigned at = i * 5, window = (unsigned)f[at / 8] << 8 | f[at / 8 + 1];

        if (i && i % GROUP == 0)
            *out++ = '-';
        *out++ = base32[window >> (11 - at % 8) & 31];
    }
    *out = 0;
    return 0;
}

/* The characters of a fingerprint without hyphens, in upper case. Returns their number, 0 when it is none. */
static size_t udf_chars(const char *text, size_t len, char out[UDF_BITS_MAX / 5])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = upper(text[i]);

        if (c == '-')
            continue;
        if (n == UDF_BITS_MAX / 5 || !c || !strchr(base32, c))
            return 0;
        out[n++] = c;
    }
    return n >= UDF_BITS_MIN / 5 ? n : 0;
}

int udf_equal(const char *a, const char *b)
{
    char x[UDF_BITS_MAX / 5], y[UDF_BITS_MAX / 5];
    size_t nx = udf_chars(a, strlen(a), x), ny = udf_chars(b, strlen(b), y);

    return nx && ny && memcmp(x, y, nx < ny ? nx : ny) == 0;
}

/* The written form, in groups of five; lower when the case is to be low. */
static void udf_write(const char *chars, size_t n, int lower, char *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i && i % GROUP == 0)
            *out++ = '-';
        *out++ = lower && chars[i] >= 'A' ? (char)(chars[i] - 'A' + 'a') : chars[i];
    }
    *out = 0;
}

int keyid_make(const char *address, const char *udf, char out[KEYID_SIZE], struct err *e)
{
    char canonical[ADDRESS_SIZE], chars[UDF_BITS_MAX / 5];
    size_t n = udf_chars(udf, strlen(udf), chars), used;
    int r;

    *out = 0;
    if ((r = address_canonical(address, strlen(address), canonical, e)) < 0)
        return r;
    if (!n)
        return err_set(e, ERR_SYNTAX, "not a fingerprint: %s", udf);
    used = strlen(canonical);
    memcpy(out, canonical, used);
    memcpy(out + used, ".mm--", 5);
    udf_write(chars, n, 1, out + used + 5);
    return 0;
}

/* Where the last ".mm--" of text begins, any case; NULL when there is none. */
static const char *strong_label(const char *text, size_t len)
{
    for (const char *p = text + len; p-- > text;)
        if (*p == '.' && text + len - p > 5 && upper(p[1]) == 'M' && upper(p[2]) == 'M' && p[3] == '-' && p[4] == '-')
            return p;
    return NULL;
}

int keyid_parse(const char *keyid, char address[ADDRESS_SIZE], char udf[64], struct err *e)
{
    size_t len = strnlen(keyid, KEYID_SIZE), n;
    const char *label = strong_label(keyid, len);
    char chars[UDF_BITS_MAX / 5];
    int r;

    *address = *udf = 0;
    if (len >= KEYID_SIZE || !label)
        return err_set(e, ERR_SYNTAX, "not a key identifier: %.80s", keyid);
    n = udf_chars(label + 5, len - (size_t)(label + 5 - keyid), chars);
    if (!n || label[5] == '-' || keyid[len - 1] == '-')
        return err_set(e, ERR_SYNTAX, "no fingerprint in key identifier: %.80s", keyid);
    if (*keyid == '<')
        return err_set(e, ERR_SYNTAX, "not a key identifier: %.80s", keyid);
    if ((r = address_canonical(keyid, (size_t)(label - keyid), address, e)) < 0)
        return r;
    udf_write(chars, n, 0, udf);
    return 0;
}
