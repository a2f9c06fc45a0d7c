#include "b64.h"

#include <string.h>

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char mime_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* MIME_LINE octets make a line of 76 characters. Nothing longer than KEY_TEXT_MAX is or holds a key: that much is
 * ciphertext, and goes by table, several times faster. */
enum { MIME_LINE = 57, UNKNOWN = 64, KEY_TEXT_MAX = 16384 };

/* All ones when lo <= c <= hi, else 0. */
static unsigned within(unsigned c, unsigned lo, unsigned hi)
{
    return (((c - lo) | (hi - c)) >> 31) - 1U;
}

/* The six bits of c, or UNKNOWN. No table and no branch: private keys come this way. */
static unsigned six_bits(unsigned c, unsigned c62, unsigned c63)
{
    unsigned upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z'), digit = within(c, '0', '9');
    unsigned is62 = within(c, c62, c62), is63 = within(c, c63, c63);

    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) | (is63 & 63) |
           (~(upper | lower | digit | is62 | is63) & UNKNOWN);
}

/* A character by arithmetic, for the same reason. */
static unsigned char url_char(unsigned v)
{
    return (unsigned char)((within(v, 0, 25) & (v + 'A')) | (within(v, 26, 51) & (v - 26 + 'a')) |
                           (within(v, 52, 61) & (v - 52 + '0')) | (within(v, 62, 62) & '-') |
                           (within(v, 63, 63) & '_'));
}

/* Writes all of in's characters; leftover bits make the last one. */
static unsigned char *encode_quietly(const unsigned char *in, size_t len, unsigned char *to)
{
    unsigned acc = 0, bits = 0;

    for (size_t i = 0; i < len; i++) {
        acc = (acc << 8 | in[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            *to++ = url_char(acc >> (bits - 6) & 63);
    }
    if (bits)
        *to++ = url_char(acc << (6 - bits) & 63);
    return to;
}

/* Whole groups of three octets, by table. */
static unsigned char *encode_bulk(const unsigned char *in, size_t len, unsigned char *to)
{
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)in[i] << 16 | (unsigned)in[i + 1] << 8 | in[i + 2];

        *to++ = (unsigned char)url_alphabet[v >> 18];
        *to++ = (unsigned char)url_alphabet[v >> 12 & 63];
        *to++ = (unsigned char)url_alphabet[v >> 6 & 63];
        *to++ = (unsigned char)url_alphabet[v & 63];
    }
    return to;
}

int b64url_encode(const void *data, size_t len, struct buf *out)
{
    const unsigned char *in = data;
    size_t need, bulk = len > KEY_TEXT_MAX ? len / 3 * 3 : 0;
    unsigned char *to;
    int r;

    if (len > ((size_t)-1 - 8) / 4 * 3)
        return ERR_LIMIT;
    need = len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
    if ((r = buf_reserve(out, need)) < 0)
        return r;
    to = out->data + out->len;
    if (bulk)
        to = encode_bulk(in, bulk, to);
    if (len > bulk)
        encode_quietly(in + bulk, len - bulk, to);
    out->len += need;
    out->data[out->len] = 0;
    return 0;
}

static void make_table(const char *alphabet, unsigned char table[256])
{
    memset(table, UNKNOWN, 256);
    for (unsigned i = 0; i < 64; i++)
        table[(unsigned char)alphabet[i]] = (unsigned char)i;
}

/* Decodes len characters; a value over 63 or leftover bits that are not zero give a value other than 0. */
static unsigned decode_quietly(const char *text, size_t len, unsigned char *to)
{
    unsigned acc = 0, bits = 0, bad = 0, v;

    for (size_t i = 0; i < len; i++) {
        v = six_bits((unsigned char)text[i], '-', '_');
        bad |= v & UNKNOWN;
        acc = (acc << 6 | (v & 63)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(acc >> bits);
        }
    }
    return bad | (acc & ((1U << bits) - 1));
}

static unsigned decode_bulk(const unsigned char *text, size_t len, unsigned char *to)
{
    unsigned char table[256];
    unsigned bad = 0;

    make_table(url_alphabet, table);
    for (size_t i = 0; i < len; i += 4) {
        unsigned a = table[text[i]], b = table[text[i + 1]], c = table[text[i + 2]], d = table[text[i + 3]];

        bad |= (a | b | c | d) & UNKNOWN;
        *to++ = (unsigned char)(a << 2 | b >> 4);
        *to++ = (unsigned char)(b << 4 | c >> 2);
        *to++ = (unsigned char)(c << 6 | d);
    }
    return bad;
}

/* Each four characters are read before their three octets are written, so that to may be where text is. */
static unsigned decode(const char *text, size_t len, unsigned char *to)
{
    size_t bulk = len > KEY_TEXT_MAX ? len / 4 * 4 : 0;
    unsigned bad = 0;

    if (bulk)
        bad = decode_bulk((const unsigned char *)text, bulk, to);
    if (len > bulk)
        bad |= decode_quietly(text + bulk, len - bulk, to + bulk / 4 * 3);
    return bad;
}

static size_t decoded_len(size_t len)
{
    return len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
}

int b64url_decode_in_place(unsigned char *text, size_t len, size_t *out_len)
{
    *out_len = 0;
    if (len % 4 == 1 || decode((const char *)text, len, text))
        return ERR_SYNTAX;
    *out_len = decoded_len(len);
    return 0;
}

int b64url_decode(const char *text, size_t len, struct buf *out)
{
    size_t need = decoded_len(len);
    unsigned char *to;
    int r;

    if (len % 4 == 1)
        return ERR_SYNTAX;
    if ((r = buf_reserve(out, need)) < 0)
        return r;
    to = out->data + out->len;
    if (decode(text, len, to)) {
        secret_wipe(to, need);
        *to = 0;
        return ERR_SYNTAX;
    }
    out->len += need;
    out->data[out->len] = 0;
    return 0;
}

static unsigned char *mime_group(const unsigned char *in, size_t n, unsigned char *to)
{
    unsigned v = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);

    *to++ = (unsigned char)mime_alphabet[v >> 18];
    *to++ = (unsigned char)mime_alphabet[v >> 12 & 63];
    *to++ = n > 1 ? (unsigned char)mime_alphabet[v >> 6 & 63] : '=';
    *to++ = n > 2 ? (unsigned char)mime_alphabet[v & 63] : '=';
    return to;
}

int b64mime_encode(const void *data, size_t len, const char *eol, struct buf *out)
{
    const unsigned char *in = data;
    size_t eol_len = strlen(eol), groups = len / 3 + (len % 3 != 0), lines = len / MIME_LINE + (len % MIME_LINE != 0);
    unsigned char *to;
    int r;

    if (len > BUF_MAX_DEFAULT * 4)
        return ERR_LIMIT;
    if ((r = buf_reserve(out, groups * 4 + lines * eol_len)) < 0)
        return r;
    to = out->data + out->len;
    for (size_t line = 0; line < len; line += MIME_LINE) {
        size_t end = len - line < MIME_LINE ? len : line + MIME_LINE;

        for (size_t i = line; i < end; i += 3)
            to = mime_group(in + i, end - i, to);
        memcpy(to, eol, eol_len);
        to += eol_len;
    }
    out->len = (size_t)(to - out->data);
    out->data[out->len] = 0;
    return 0;
}

int b64mime_decode(const void *text, size_t len, struct buf *out)
{
    const unsigned char *in = text;
    unsigned char table[256], *to;
    unsigned acc = 0, bits = 0;
    size_t pad = 0, chars = 0;
    int r;

    if ((r = buf_reserve(out, len / 4 * 3 + 3)) < 0)
        return r;
    make_table(mime_alphabet, table);
    to = out->data + out->len;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = in[i], v = table[c];

        if (c == '\r' || c == '\n' || c == ' ' || c == '\t')
            continue;
        chars++;
        if (c == '=') {
            pad++;
            continue;
        }
        if (v == UNKNOWN || pad)
            return ERR_SYNTAX;
        acc = (acc << 6 | v) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(acc >> bits);
        }
    }
    if (chars % 4 || pad > 2 || (acc & ((1U << bits) - 1)) || bits / 2 != pad)
        return ERR_SYNTAX;
    out->len = (size_t)(to - out->data);
    out->data[out->len] = 0;
    return 0;
}
