/* Mailbox names: UTF-8 outside, modified UTF-7 on the wire (RFC 3501 section 5.1.3). */
#include <stdint.h>
#include <string.h>

#include "fetch-conf.h"

/* One character off *s, which is moved on; ERR_SYNTAX: not UTF-8 (also overlong, surrogates, over U+10FFFF). */
static int next_character(const unsigned char **s, uint32_t *out)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *p = *s;
    int more = *p < 0x80 ? 0 : *p < 0xc2 ? -1 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : -1;
    uint32_t c;

    if (more < 0)
        return ERR_SYNTAX;
    c = more ? *p & (0x3fU >> more) : *p;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return ERR_SYNTAX;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return ERR_SYNTAX;
    *s = p + more + 1;
    *out = c;
    return 0;
}

struct utf7 {
    char *out;
    size_t used;
    uint32_t bits; /* those not written yet */
    int count;     /* of them */
    int shifted;   /* inside "&...-" */
};

static void put(struct utf7 *u, char c)
{
    if (u->used < FETCH_MAILBOX_SIZE)
        u->out[u->used++] = c;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static void put_unit(struct utf7 *u, uint32_t unit)
{
    u->bits = u->bits << 16 | unit;
    for (u->count += 16; u->count >= 6; u->count -= 6)
        put(u, digits[u->bits >> (u->count - 6) & 0x3f]);
    u->bits &= (1U << u->count) - 1;
}

static void shift_out(struct utf7 *u)
{
    if (!u->shifted)
        return;
    if (u->count > 0) /* the last digit, filled with zeros */
        put(u, digits[u->bits << (6 - u->count) & 0x3f]);
    put(u, '-');
    *u = (struct utf7){u->out, u->used, 0, 0, 0};
}

static void put_character(struct utf7 *u, uint32_t c)
{
    if (c < 0x80) {
        shift_out(u);
        put(u, (char)c);
        if (c == '&')
            put(u, '-');
        return;
    }
    if (!u->shifted)
        put(u, '&');
    u->shifted = 1;
    if (c >= 0x10000) {
        put_unit(u, 0xd800 + ((c - 0x10000) >> 10));
        put_unit(u, 0xdc00 + (c & 0x3ff));
    } else {
        put_unit(u, c);
    }
}

int fetch_conf_mailbox(const char *name, char out[FETCH_MAILBOX_SIZE], struct err *e)
{
    const unsigned char *s = (const unsigned char *)name;
    struct utf7 u = {out, 0, 0, 0, 0};
    uint32_t c;

    out[0] = 0;
    if (!*s)
        return err_set(e, ERR_USAGE, "the mailbox's name is empty");
    while (*s) {
        if (next_character(&s, &c) < 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return err_set(e, ERR_USAGE, "%s: not the name of a mailbox", name);
        put_character(&u, c);
    }
    shift_out(&u);
    if (u.used >= FETCH_MAILBOX_SIZE)
        return err_set(e, ERR_USAGE, "the mailbox's name is too long");
    out[u.used] = 0;
    return 0;
}
