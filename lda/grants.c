#include "grants.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/lines.h"
#include "common/mailcrypt.h"

/* Everything that is no answer about this very message is "try again later": a denial means that recryptd does not know
 * us as a delivery agent. */
static int temporary(int r, struct err *e)
{
    if (r == ERR_SYSTEM || r == ERR_RETRY)
        return r;
    if (e)
        e->code = ERR_RETRY;
    return ERR_RETRY;
}

/* 1 = ours, and account whose; 0 = another service's or none's. */
static int is_ours(struct frame_client *c, const char *kid, char account[ADDRESS_SIZE], struct err *e)
{
    struct jwk *key = NULL;
    enum key_state state;
    int r = rclient_key(c, kid, &key, &state, account, e);

    jwk_free(&key);
    if (r == ERR_ABSENT)
        return 0;
    return r < 0 ? temporary(r, e) : 1;
}

static int is_group_key(const char *kid)
{
    char address[ADDRESS_SIZE], udf[64];

    return kid && strlen(kid) < KEYID_SIZE && keyid_parse(kid, address, udf, NULL) == 0;
}

/* What a recipient keeps. */
struct kept {
    struct grant *list;
    size_t count;
    int as_is; /* what is there stays */
};

/* The grants of account for a key of this service's. ERR_ABSENT: none, or another service's key. */
static int ask(struct frame_client *c, const char *account, const struct jwe_recipient *to, struct kept *out,
               struct err *e)
{
    char address[ADDRESS_SIZE], udf[64];
    int r;

    if (keyid_parse(to->kid, address, udf, NULL) == 0 && strcmp(address, account) == 0)
        return rclient_device_grants(c, account, to->kid, to->suite, to->epk, to->epk_len, &out->list, &out->count, e);
    if (!(out->list = calloc(1, sizeof *out->list)))
        return err_set(e, ERR_SYSTEM, "out of memory");
    r = rclient_grant(c, account, to->kid, to->suite, to->epk, to->epk_len, out->list, e);
    out->count = r == 0;
    return r;
}

/* The grants recipient i keeps. */
static int decide(struct frame_client *c, const char *account, enum grants_mode mode, const struct jwe *j, size_t i,
                  struct kept *out, struct err *e)
{
    char whose[ADDRESS_SIZE];
    struct jwe_recipient to;
    int r = ERR_ABSENT;

    if (!account)
        return 0;
    if (jwe_recipient(j, i, &to, e) < 0 || !is_group_key(to.kid))
        return 0;
    if (mode == GRANTS_EMBED && (r = ask(c, account, &to, out, e)) == 0)
        return 0;
    /* No grant is wanted, or there is none, or an ephemeral key is refused now and will be tomorrow. */
    if (r == ERR_ABSENT || r == ERR_KEY || r == ERR_SYNTAX) {
        r = is_ours(c, to.kid, whose, e);
        out->as_is = r == 0;
        return r < 0 ? r : 0;
    }
    return temporary(r, e);
}

/* Has recipient i exactly these already? */
static int has_only(const struct jwe *j, size_t i, const struct kept *k)
{
    int same = jwe_grants(j, i) == k->count;

    for (size_t n = 0; same && n < k->count; n++) {
        const struct grant *g = &k->list[n];
        struct grant have;

        if (jwe_grant(j, i, n, &have, NULL) < 0)
            return 0;
        same = memcmp(have.tag, g->tag, sizeof g->tag) == 0 && have.value_len == g->value_len &&
               memcmp(have.value, g->value, g->value_len) == 0 && have.dk && g->dk && strcmp(have.dk, g->dk) == 0;
        grant_clear(&have);
    }
    return same;
}

/* Is the recipient's key that of another person of this service? 0 also when it is a list's, which account may be
 * on. */
static int is_anothers(struct frame_client *c, const char *account, const struct jwe_recipient *to, struct err *e)
{
    char whose[ADDRESS_SIZE];
    struct address_info info;
    int r;

    if (!is_group_key(to->kid))
        return 0;
    if ((r = is_ours(c, to->kid, whose, e)) <= 0 || strcmp(whose, account) == 0)
        return r < 0 ? r : 0;
    if ((r = rclient_resolve(c, whose, &info, e)) < 0)
        return temporary(r, e);
    return info.kind == ADDRESS_PERSON && strcmp(info.account, whose) == 0;
}

/* Who else a message was sealed to is not account's to know. When all parts are others', which of them she can use by
 * whatever way is not known here, and they stay. 1 = something changed. */
static int drop_others(struct frame_client *c, const char *account, struct jwe *j, struct err *e)
{
    size_t n = jwe_recipients(j), others[JWE_RECIPIENTS_MAX], count = 0;

    if (!account || n < 2)
        return 0;
    for (size_t i = 0; i < n; i++) {
        struct jwe_recipient to;
        int r = jwe_recipient(j, i, &to, e) < 0 ? 0 : is_anothers(c, account, &to, e);

        if (r < 0)
            return r;
        if (r)
            others[count++] = i;
    }
    if (count == n)
        return 0;
    for (size_t i = count; i > 0; i--)
        if (jwe_drop_recipient(j, others[i - 1], e) < 0)
            return temporary(ERR_SYSTEM, e);
    return count > 0;
}

/* 1 = something changed. */
static int apply_all(struct frame_client *c, const char *account, enum grants_mode mode, struct jwe *j, struct err *e)
{
    int changed = drop_others(c, account, j, e);

    if (changed < 0)
        return changed;
    for (size_t i = 0; i < jwe_recipients(j); i++) {
        struct kept k = {0};
        int r = decide(c, account, mode, j, i, &k, e);

        if (r == 0 && !k.as_is && !has_only(j, i, &k)) {
            r = jwe_set_grants(j, i, k.list, k.count, e) < 0 ? temporary(ERR_SYSTEM, e) : 0;
            changed = 1;
        }
        grant_list_free(k.list, k.count);
        if (r < 0)
            return r;
    }
    return changed;
}

static int write_two_part(const struct mailcrypt *m, struct span msg, struct buf *out, struct err *e)
{
    struct buf part1 = BUF_INIT;
    const unsigned char *end = m->part1.data + m->part1.len;
    int r;

    if ((r = mailcrypt_part1(m, &part1, e)) == 0 &&
        (r = buf_append(out, msg.data, (size_t)(m->part1.data - msg.data))) == 0 &&
        (r = buf_append(out, part1.data, part1.len)) == 0)
        r = buf_append(out, end, msg.len - (size_t)(end - msg.data));
    buf_free(&part1);
    return r;
}

/* Appends text, which has CRLF line ends, with those of the message. */
static int append_as(const struct buf *text, int crlf, struct buf *out, struct err *e)
{
    struct span s = {text->data, text->len};

    if (!crlf)
        return lines_to_lf(s, out, e);
    return buf_append(out, text->data, text->len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int is_content_field(struct span name)
{
    static const char *const names[] = {"content-type", "content-transfer-encoding", "content-disposition"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.len == strlen(names[i]) && strncasecmp((const char *)name.data, names[i], name.len) == 0)
            return 1;
    return 0;
}

/* The same header but for what describes the body, and the body in two parts. */
static int write_whole(const struct mailcrypt *m, struct span header, int crlf, struct buf *out, struct err *e)
{
    struct buf type = BUF_INIT, body = BUF_INIT, head = BUF_INIT;
    struct mime_field f;
    size_t at = 0;
    int r;

    if ((r = mailcrypt_build(m->jwe, &m->ciphertext, &type, &body, e)) < 0)
        goto out;
    while ((r = mime_field_next(header, &at, &f, e)) == 1)
        if (!is_content_field(f.name) && (r = buf_append(out, f.whole.data, f.whole.len)) < 0)
            goto out;
    if (r < 0 || (r = buf_printf(&head, "Content-Type: %s\r\n\r\n", buf_str(&type))) < 0 ||
        (r = append_as(&head, crlf, out, e)) < 0)
        goto out;
    r = append_as(&body, crlf, out, e);
out:
    buf_free(&type);
    buf_free(&body);
    buf_free(&head);
    return r;
}

int grants_apply(struct frame_client *c, const char *account, enum grants_mode mode, struct span msg,
                 enum grants_kind *kind, struct buf *out, struct err *e)
{
    struct span header, body;
    struct mailcrypt m;
    int r;

    *kind = GRANTS_PLAIN;
    r = mailcrypt_find_message(msg, &header, &body, &m, e);
    if (r < 0) {
        *kind = GRANTS_BROKEN;
        return err_temporary(r) ? r : 0;
    }
    if (m.kind != MAILCRYPT_PLAIN) {
        *kind = GRANTS_ENCRYPTED;
        r = apply_all(c, account, mode, m.jwe, e);
        if (r > 0)
            r = m.kind == MAILCRYPT_TWO_PART ? write_two_part(&m, msg, out, e)
                                             : write_whole(&m, header, lines_have_crlf(msg), out, e);
        if (r < 0)
            r = temporary(r, e);
    }
    mailcrypt_clear(&m);
    return r;
}
