#include "opener.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "known.h"
#include "person.h"
#include "shares.h"

/* What is here comes before what others have to be asked for: a message to several must open although a service of one
 * of them is away. */
enum phase { PHASE_KEYS, PHASE_SHARES, PHASE_ASK, PHASES };

struct search {
    struct tool *t;
    enum phase phase;
    const struct jwe *j;
    const struct opener *how;
    size_t i; /* the recipient that is looked at */
    struct jwe_recipient to;
    char account[ADDRESS_SIZE], udf[64]; /* of its kid */
    int damaged, denied;
    struct err away;      /* code 0, or the first failure that is another's and may pass */
    struct person person; /* the member that is tried */
    struct err *e;
};

/* How one attempt ended: 1 = opened, 0 = go on, negative = stop. */
static int outcome(struct search *s, int r)
{
    if (r == 0)
        return 1;
    if (r == ERR_CRYPTO)
        s->damaged = 1;
    return r == ERR_CRYPTO || r == ERR_KEY ? 0 : r;
}

/* A service that is away ends this attempt, not the search. */
static int put_off(struct search *s, int r)
{
    if (r != ERR_RETRY)
        return r;
    if (s->away.code == 0)
        s->away = *s->e;
    return 0;
}

static int try_key_file(struct search *s, const char *kind, const char *account, const char *udf, const char *kid)
{
    struct jwk *key = NULL;
    char path[PATH_MAX];
    int r;

    if ((r = home_path(s->t->home, 0, path, s->e, kind, ".jwk", account, udf, NULL)) < 0)
        return r;
    if (access(path, F_OK) < 0)
        return 0;
    if ((r = home_key_load(s->t->home, path, &key, NULL, s->e)) < 0)
        return r;
    if (jwk_set_kid(key, kid) < 0)
        r = err_errno(s->e, "out of memory");
    else
        r = outcome(s, s->how->with_key(s->how->arg, s->j, key, s->e));
    jwk_free(&key);
    return r;
}

static int try_grant(struct search *s, const struct share *share, const struct grant *g)
{
    return outcome(s, s->how->with_share(s->how->arg, s->j, s->i, share, g, s->e));
}

/* The grants in the message that carry this share's tag. */
static int try_tagged(struct search *s, const struct share *share)
{
    unsigned char tag[GRANT_TAG_LEN];
    struct grant g;
    int r;

    if ((r = entry_tag(share->tagkey, s->to.epk, s->to.epk_len, tag, s->e)) < 0)
        return r;
    for (size_t n = 0; r == 0 && n < jwe_grants(s->j, s->i); n++) {
        memset(&g, 0, sizeof g);
        if ((r = jwe_grant(s->j, s->i, n, &g, s->e)) < 0)
            return r;
        if (CRYPTO_memcmp(tag, g.tag, sizeof tag) == 0)
            r = try_grant(s, share, &g);
        grant_clear(&g);
    }
    return r;
}

/* Who signs for the list: what is pinned, else asked for. */
static int list_signer(struct search *s, struct jwk **out)
{
    struct profile p;
    int flags = args_given(s->t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0, r;

    if ((r = known_load(s->t->home, s->account, &p, s->e)) == ERR_ABSENT)
        r = known_fetch(s->t->home, s->t->services, s->account, flags, &p, NULL, s->e);
    if (r < 0)
        return r;
    r = jwk_public_copy(p.signer, out, s->e);
    profile_clear(&p);
    return r;
}

struct statement {
    struct search *s;
    const char *text;
    const struct jwk *owner;
    struct share *share;
};

static int read_with_key(void *arg, const char *udf, struct err *e)
{
    struct statement *st = arg;
    struct jwk *key = NULL;
    int r = person_key(st->s->t->home, st->s->person.account, udf, &key, e);

    if (r == 0)
        r = share_read(st->text, st->s->to.kid, st->owner, key, st->share, e);
    jwk_free(&key);
    if (r == 0)
        return 1;
    return r == ERR_KEY || r == ERR_CRYPTO ? 0 : r;
}

/* The share that a grant brings: 1 = there it is (and kept), 0 = none for this person's keys. */
static int share_from_grant(struct search *s, const struct grant *g, struct share *share)
{
    struct jwk *owner = NULL;
    struct statement st = {s, g->dk, NULL, share};
    int r;

    memset(share, 0, sizeof *share);
    if (!g->dk)
        return 0;
    if ((r = list_signer(s, &owner)) < 0)
        return r;
    st.owner = owner;
    r = person_each_key(s->t->home, s->person.account, read_with_key, &st, s->e);
    if (r == 1 && strcmp(share->member, s->person.account) != 0) {
        share_clear(share);
        r = 0;
    }
    if (r == 1 && shares_keep(s->t->home, share, s->e) < 0)
        tool_note("%s; your share of %s was not kept, and is asked for again next time", s->e ? s->e->text : "",
                  s->account);
    jwk_free(&owner);
    return r;
}

static int try_grants_with_share(struct search *s)
{
    struct share share;
    struct grant g;
    int r = 0;

    for (size_t n = 0; r == 0 && n < jwe_grants(s->j, s->i); n++) {
        memset(&g, 0, sizeof g);
        if ((r = jwe_grant(s->j, s->i, n, &g, s->e)) < 0)
            return r;
        if ((r = share_from_grant(s, &g, &share)) == 1) {
            r = try_grant(s, &share, &g);
            share_clear(&share);
        }
        grant_clear(&g);
    }
    return r;
}

struct ask {
    struct search *s;
    const struct share *kept; /* NULL when none is */
};

/* Asks the list's service in the name of one of the person's keys. */
static int ask_with_key(void *arg, const char *udf, struct err *e)
{
    struct ask *a = arg;
    struct search *s = a->s;
    unsigned char tag[GRANT_TAG_LEN];
    struct share share;
    struct grant g;
    int r;

    memset(&g, 0, sizeof g);
    r = services_grant(s->t->services, s->to.kid, &s->to, udf, s->person.sign, &g, e);
    if (r == ERR_ABSENT || r == ERR_DENIED) {
        s->denied = 1;
        return 0;
    }
    if (r < 0)
        return r;
    if (a->kept && entry_tag(a->kept->tagkey, s->to.epk, s->to.epk_len, tag, NULL) == 0 &&
        CRYPTO_memcmp(tag, g.tag, sizeof tag) == 0) {
        r = try_grant(s, a->kept, &g);
    } else if ((r = share_from_grant(s, &g, &share)) == 1) {
        r = try_grant(s, &share, &g);
        share_clear(&share);
    }
    grant_clear(&g);
    return r;
}

/* One of the user's accounts as a member of the list that the recipient names. */
static int try_member(void *arg, const char *account, struct err *e)
{
    struct search *s = arg;
    struct share share;
    struct ask a = {s, NULL};
    int r;

    if (!strchr(account, '@'))
        return 0;
    r = shares_load(s->t->home, s->to.kid, account, &share, e);
    if (r == 0)
        a.kept = &share;
    else if (r != ERR_ABSENT)
        return r;
    r = a.kept && s->phase == PHASE_SHARES ? try_tagged(s, a.kept) : 0;
    if (r != 0 || (r = person_open(s->t->home, account, &s->person, e)) < 0) {
        if (r == ERR_ABSENT) /* begun and never registered */
            r = 0;
        goto out;
    }
    if (s->phase == PHASE_SHARES)
        r = try_grants_with_share(s);
    else if (!args_given(s->t->args, OPT_OFFLINE))
        r = person_each_key(s->t->home, account, ask_with_key, &a, e);
    person_close(&s->person);
out:
    if (a.kept)
        share_clear(&share);
    return put_off(s, r);
}

struct any_key {
    struct search *s;
    const char *kind, *account;
};

static int try_any_key(void *arg, const char *udf, struct err *e)
{
    struct any_key *k = arg;

    (void)e;
    return strcmp(udf, "sign") == 0 ? 0 : try_key_file(k->s, k->kind, k->account, udf, NULL);
}

static int try_account(void *arg, const char *account, struct err *e)
{
    struct any_key *k = arg;

    k->account = account;
    return home_each(k->s->t->home, k->kind, account, ".jwk", try_any_key, k, e);
}

/* A recipient without a name: every key there is. */
static int try_everything(struct search *s)
{
    struct any_key k = {s, "persons", NULL};
    int r = home_each(s->t->home, k.kind, NULL, "", try_account, &k, s->e);

    k.kind = "lists";
    return r ? r : home_each(s->t->home, k.kind, NULL, "", try_account, &k, s->e);
}

static int try_recipient(struct search *s)
{
    int r;

    if ((r = jwe_recipient(s->j, s->i, &s->to, s->e)) < 0)
        return r == ERR_UNSUPPORTED ? 0 : r; /* one of several, for somebody else's program */
    if (!s->to.kid)
        return s->phase == PHASE_KEYS ? try_everything(s) : 0;
    if (keyid_parse(s->to.kid, s->account, s->udf, NULL) < 0)
        return 0;
    if (s->phase == PHASE_KEYS) {
        r = try_key_file(s, "persons", s->account, s->udf, s->to.kid);
        return r ? r : try_key_file(s, "lists", s->account, s->udf, s->to.kid);
    }
    if (person_exists(s->t->home, s->account)) /* a key of one's own that is not here is nobody's list */
        return 0;
    return home_each(s->t->home, "persons", NULL, "", try_member, s, s->e);
}

/* Why nothing opened it. */
static int failure(const struct search *s, struct err *e)
{
    if (s->damaged)
        return err_set(e, ERR_CRYPTO, "this is for you, but it does not open: damaged or changed on its way");
    if (s->away.code)
        return err_set(e, s->away.code, "%s", s->away.text);
    if (s->denied)
        return err_set(e, ERR_DENIED,
                       "no grant: the service of %s does not let you read this; if you should be a member, ask the "
                       "list's owner",
                       s->account);
    return err_set(e, ERR_KEY, "this is encrypted to none of your keys and lists%s%s", s->to.kid ? ": " : "",
                   s->to.kid ? s->to.kid : "");
}

int opener_run(struct tool *t, const struct jwe *j, const struct opener *how, char keyid[KEYID_SIZE], struct err *e)
{
    struct search s;
    struct err local;
    int r = 0;

    memset(&s, 0, sizeof s);
    s.t = t;
    s.j = j;
    s.how = how;
    s.e = e ? e : &local;
    keyid[0] = 0;
    for (s.phase = PHASE_KEYS; r == 0 && s.phase < PHASES; s.phase++)
        for (s.i = 0; r == 0 && s.i < jwe_recipients(j); s.i++)
            r = try_recipient(&s);
    if (r == 1) {
        snprintf(keyid, KEYID_SIZE, "%s", s.to.kid ? s.to.kid : "");
        return 0;
    }
    return r < 0 ? r : failure(&s, e);
}
