#include "imap-who.h"

#include <stdio.h>
#include <string.h>

#include "common/b64.h"
#include "imap-line.h"

int imap_login_user(struct span rest, struct buf *user)
{
    struct imap_cursor c = imap_cursor(rest);
    struct buf password = BUF_INIT;
    size_t before = user->len;
    int r = ERR_SYNTAX;

    if (imap_octet(&c, ' ') == 0 && (r = imap_astring(&c, user)) == 0)
        r = imap_octet(&c, ' ');
    if (r == 0 && (r = imap_astring(&c, &password)) == 0)
        r = imap_end(&c);
    buf_free(&password);
    if (r < 0)
        buf_cut(user, before);
    return r;
}

int imap_base64(struct span base64, struct buf *out)
{
    /* MIME's decoder would pass over these. */
    for (size_t i = 0; i < base64.len; i++)
        if (base64.data[i] <= ' ')
            return ERR_SYNTAX;
    return b64mime_decode(base64.data, base64.len, out);
}

int imap_plain_user(struct span base64, struct buf *user)
{
    struct buf text = BUF_INIT;
    const unsigned char *authcid, *password;
    size_t zid, cid;
    int r = imap_base64(base64, &text);

    if (r < 0)
        goto out;
    r = ERR_SYNTAX;
    if (!text.len || !(authcid = memchr(text.data, 0, text.len)))
        goto out;
    zid = (size_t)(authcid++ - text.data);
    if (!(password = memchr(authcid, 0, text.len - zid - 1)))
        goto out;
    cid = (size_t)(password - authcid);
    if (cid == 0 || memchr(password + 1, 0, text.len - zid - cid - 2))
        goto out;
    if (zid && (zid != cid || memcmp(text.data, authcid, zid) != 0))
        r = ERR_DENIED;
    else
        r = buf_append(user, authcid, cid);
out:
    buf_free(&text);
    return r;
}

static int plain_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-'", c))))
            return 0;
    }
    return len > 0;
}

int imap_account(struct span user, const char *user_domain, char out[ADDRESS_SIZE], struct err *e)
{
    const char *name = (const char *)user.data, *at = user.len ? memchr(name, '@', user.len) : NULL;
    size_t local = at ? (size_t)(at - name) : user.len;
    char text[2 * ADDRESS_SIZE];
    int n;

    *out = 0;
    if (user.len >= ADDRESS_SIZE)
        return err_set(e, ERR_DENIED, "the login name is too long");
    if (!plain_name(name, local))
        return err_set(e, ERR_DENIED, "the login name may be more than one person's name");
    if (!at && !*user_domain)
        return err_set(e, ERR_DENIED, "the login name has no domain");
    n = snprintf(text, sizeof text, "%.*s%s%s", (int)user.len, name, at ? "" : "@", at ? "" : user_domain);
    if (n < 0 || (size_t)n >= sizeof text || memchr(name, 0, user.len) ||
        address_canonical(text, (size_t)n, out, NULL) < 0) {
        *out = 0;
        return err_set(e, ERR_DENIED, "the login name is no address");
    }
    return 0;
}

int imap_device(struct span text, char out[JWK_UDF_SIZE])
{
    *out = 0;
    if (text.len != JWK_UDF_SIZE - 1)
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = text.data[i];

        if (c >= 'a' && c <= 'z')
            c = (unsigned char)(c - 'a' + 'A');
        if (i % 6 == 5 ? c != '-' : !((c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'))) {
            *out = 0;
            return ERR_SYNTAX;
        }
        out[i] = (char)c;
    }
    out[text.len] = 0;
    return 0;
}

static int trusted_field(struct span name)
{
    static const char *const prefixes[] = {"x-originating-", "x-connected-", "x-session-",
                                           "x-proxy-",       "x-forward-",   NULL};

    for (const char *const *p = prefixes; *p; p++)
        if (imap_begins(name, *p))
            return 1;
    return 0;
}

/* NIL: 1. */
static int nstring(struct imap_cursor *c, struct buf *out)
{
    struct imap_cursor at = *c;
    struct span word;

    if (imap_atom(&at, &word) == 0) {
        if (!imap_is(word, "NIL"))
            return ERR_SYNTAX;
        *c = at;
        return 1;
    }
    return imap_string(c, out);
}

static int id_field(struct imap_cursor *c, struct buf *out, size_t start)
{
    struct buf name = BUF_INIT, value = BUF_INIT;
    int r, nil;

    if ((r = imap_string(c, &name)) < 0 || (r = imap_octet(c, ' ')) < 0 || (r = nstring(c, &value)) < 0)
        goto out;
    nil = r;
    r = 0;
    if (value.len > IMAP_ID_VALUE || name.len > IMAP_ID_VALUE)
        r = ERR_LIMIT;
    else if ((value.len && memchr(value.data, 0, value.len)) || (name.len && memchr(name.data, 0, name.len)))
        r = ERR_SYNTAX;
    if (r < 0 || trusted_field((struct span){name.data, name.len}))
        goto out;
    r = out->len > start ? buf_append(out, " ", 1) : 0;
    r = r ? r : imap_put_string(out, name.data, name.len);
    r = r ? r : buf_append(out, " ", 1);
    if (r == 0)
        r = nil ? buf_puts(out, "NIL") : imap_put_string(out, value.data, value.len);
out:
    buf_free(&name);
    buf_free(&value);
    return r;
}

int imap_id(struct span rest, struct buf *out)
{
    struct imap_cursor c = imap_cursor(rest);
    struct buf fields = BUF_INIT;
    int r = imap_octet(&c, ' '), count = 0;

    if (r == 0 && imap_octet(&c, '(') == 0) {
        if (imap_octet(&c, ')') < 0) {
            do
                r = ++count > IMAP_ID_FIELDS ? ERR_LIMIT : id_field(&c, &fields, 0);
            while (r == 0 && imap_octet(&c, ' ') == 0);
            r = r ? r : imap_octet(&c, ')');
        }
    } else if (r == 0) {
        r = nstring(&c, &fields) == 1 ? 0 : ERR_SYNTAX;
    }
    r = r ? r : imap_end(&c);
    if (r == 0)
        r = fields.len ? buf_printf(out, " (%s)", buf_str(&fields)) : buf_puts(out, " NIL");
    buf_free(&fields);
    return r;
}
