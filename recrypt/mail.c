#include "mail.h"

#include <string.h>

#include "common/mailcrypt.h"
#include "known.h"
#include "opener.h"

struct opening {
    const struct buf *ciphertext;
    struct buf plain;
};

static int open_with_key(void *arg, const struct jwe *j, const struct jwk *key, struct err *e)
{
    struct opening *o = arg;

    return jwe_decrypt(j, key, o->ciphertext, &o->plain, e);
}

static int open_with_share(void *arg, const struct jwe *j, size_t recipient, const struct share *s,
                           const struct grant *g, struct err *e)
{
    struct opening *o = arg;

    return share_decrypt(s, g, j, recipient, o->ciphertext, &o->plain, e);
}

/* A person has one signature key: another under her name is a forgery, or she began anew and the reader must decide. */
static int other_key(const struct tool *t, const char *account, const char *claimed, const char *known, struct err *e)
{
    if (args_given(t->args, OPT_UNVERIFIED))
        return ERR_ABSENT;
    return err_set(e, ERR_KEY,
                   "the signature claims to be of %s, but under key %s in place of %s; nothing was written. If it is "
                   "a new key: compare fingerprints, then recrypt key --accept-new %s",
                   account, claimed, known, account);
}

/* protect_lookup: the signer's key, what is pinned first, then her domain's service. */
static int find_signer(void *arg, const char *account, const char *kid, struct jwk **out, struct err *e)
{
    struct tool *t = arg;
    struct profile p;
    char udf[JWK_UDF_SIZE];
    int flags = args_given(t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0, r;

    *out = NULL;
    if ((r = known_load(t->home, account, &p, e)) == ERR_ABSENT)
        r = known_fetch(t->home, t->services, account, flags, &p, NULL, e);
    if (r < 0)
        return r;
    if (jwk_udf(p.signer, udf) < 0)
        r = err_set(e, ERR_SYSTEM, "out of memory");
    else if (p.kind != PROFILE_PERSON || strcmp(udf, kid) != 0)
        r = other_key(t, account, kid, udf, e);
    else
        r = jwk_public_copy(p.signer, out, e);
    profile_clear(&p);
    return r;
}

int mail_verdict(const struct protect_verdict *v, struct buf *out)
{
    static const char *const words[] = {"unsigned", "signed", "unknown", "bad"};
    int r = buf_puts(out, words[v->status]);

    if (r < 0 || v->status == PROTECT_UNSIGNED)
        return r;
    return buf_printf(out, " %s %s", v->from[0] ? v->from : "-", v->kid[0] ? v->kid : "-");
}

void mail_tell(const struct protect_verdict *v)
{
    switch (v->status) {
    case PROTECT_UNSIGNED:
        fprintf(stderr, "not signed\n");
        break;
    case PROTECT_SIGNED:
        fprintf(stderr, "signed by %s (%s)\n", v->from, v->kid);
        break;
    case PROTECT_UNKNOWN:
        fprintf(stderr, "WARNING: claims to be signed by %s (%s), whose key is not known; %s\n", v->from, v->kid,
                v->why);
        break;
    default:
        fprintf(stderr, "WARNING: BAD signature: %s\n", v->why);
        break;
    }
}

int mail_open(struct tool *t, const struct buf *msg, const struct granted_list *brought, struct buf *inside,
              struct protect_verdict *verdict, struct err *e)
{
    struct buf ciphertext = BUF_INIT;
    struct opening opening = {&ciphertext, BUF_INIT};
    const struct opener how = {open_with_key, open_with_share, &opening, brought};
    struct span header, body;
    struct mailcrypt m;
    char keyid[KEYID_SIZE];
    int r;

    memset(&m, 0, sizeof m);
    memset(verdict, 0, sizeof *verdict);
    if ((r = mailcrypt_find_message((struct span){msg->data, msg->len}, &header, &body, &m, e)) < 0)
        return r;
    if (m.kind == MAILCRYPT_PLAIN)
        r = 1;
    else if ((r = mailcrypt_ciphertext(&m, &ciphertext, e)) == 0 && (r = opener_run(t, m.jwe, &how, keyid, e)) == 0)
        r = protect_open((struct span){opening.plain.data, opening.plain.len}, keyid, find_signer, t, inside, verdict,
                         e);
    mailcrypt_clear(&m);
    buf_free(&ciphertext);
    buf_free(&opening.plain);
    return r;
}
