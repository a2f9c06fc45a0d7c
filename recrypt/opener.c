#include "opener-private.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "deposit.h"
#include "known.h"
#include "shares.h"

int search_outcome(struct search *s, int r)
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
        r = search_outcome(s, s->how->with_key(s->how->arg, s->j, key, s->e));
    jwk_free(&key);
    return r;
}

static int try_grant(struct search *s, const struct share *share, const struct grant *g)
{
    return search_outcome(s, s->how->with_share(s->how->arg, s->j, s->i, share, g, s->e));
}

int search_fits(const struct share *share, const struct grant *g, const struct jwe_recipient *to)
{
    unsigned char tag[GRANT_TAG_LEN];

    return entry_tag(share->tagkey, to->epk, to->epk_len, tag, NULL) == 0 &&
           CRYPTO_memcmp(tag, g->tag, sizeof tag) == 0;
}

/* The grants in the message that carry this share's tag. */
static int try_tagged(struct search *s, const struct share *share)
{
    struct grant g;
    int r = 0;

    for (size_t n = 0; r == 0 && n < jwe_grants(s->j, s->i); n++) {
        memset(&g, 0, sizeof g);
        if ((r = jwe_grant(s->j, s->i, n, &g, s->e)) < 0)
            return r;
        if (search_fits(share, &g, &s->to))
            r = try_grant(s, share, &g);
        grant_clear(&g);
    }
    return r;
}

int search_with_share(struct search *s, const struct share *share, const struct granted *g)
{
    return g->in_message ? try_tagged(s, share) : try_grant(s, share, &g->grant);
}

int search_owner(struct search *s, const char *group, struct jwk **out)
{
    struct profile p;
    int flags = args_given(s->t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0, r;

    *out = NULL;
    if ((r = known_load(s->t->home, group, &p, s->e)) == ERR_ABSENT)
        r = known_fetch(s->t->home, s->t->services, group, flags, &p, NULL, s->e);
    if (r < 0)
        return r;
    r = jwk_public_copy(p.signer, out, s->e);
    profile_clear(&p);
    return r;
}

struct statement {
    struct search *s;
    const char *text, *keyid;
    const struct reader *reader;
    const struct jwk *owner;
    struct share *share;
};

static int read_with_key(void *arg, const char *udf, struct err *e)
{
    struct statement *st = arg;
    struct jwk *key = NULL;
    int r = st->reader->device ? devices_key(st->s->t->home, st->reader->device, &key, e)
                               : person_key(st->s->t->home, "persons", st->reader->member, udf, &key, e);

    if (r == 0)
        r = share_read(st->text, st->keyid, st->owner, key, st->share, e);
    jwk_free(&key);
    if (r == 0)
        return 1;
    return r == ERR_KEY || r == ERR_CRYPTO ? 0 : r;
}

int search_share(struct search *s, const struct reader *reader, const char *account, const struct jwe_recipient *to,
                 const struct grant *g, struct share *out)
{
    struct statement st = {s, g->dk, to->kid, reader, NULL, out};
    struct jwk *owner = NULL;
    int r;

    memset(out, 0, sizeof *out);
    if (!g->dk)
        return 0;
    if ((r = search_owner(s, account, &owner)) < 0)
        return r;
    st.owner = owner;
    r = reader->device ? read_with_key(&st, NULL, s->e)
                       : person_each_key(s->t->home, "persons", reader->member, read_with_key, &st, s->e);
    if (r == 1 && strcmp(out->member, reader->member) != 0) {
        share_clear(out);
        r = 0;
    }
    if (r == 1 &&
        (shares_keep(s->t->home, out, s->e) < 0 || (!reader->device && deposit_note(s->t, out, g->dk, s->e) < 0)))
        tool_note("%s; your share of %s was not kept, and is asked for again next time", s->e->text, account);
    jwk_free(&owner);
    return r;
}

/* kept: the share that is here, or NULL. */
static int try_granted(struct search *s, const struct reader *reader, const struct share *kept, const struct granted *g)
{
    struct share share;
    int r;

    if (kept && (g->in_message || search_fits(kept, &g->grant, &s->to)))
        return search_with_share(s, kept, g);
    if ((r = search_share(s, reader, s->account, &s->to, &g->grant, &share)) == 1) {
        r = search_with_share(s, &share, g);
        share_clear(&share);
    }
    return r;
}

/* What came along, and the grants in the message that bring a share with them. */
static int try_what_is_here(struct search *s, const struct reader *reader, const struct share *kept)
{
    const struct granted_list *brought = s->how->brought;
    struct granted g;
    int r = kept ? try_tagged(s, kept) : 0;

    for (size_t n = 0; r == 0 && brought && n < brought->count; n++)
        if (strcmp(brought->at[n].keyid, s->to.kid) == 0)
            r = try_granted(s, reader, kept, &brought->at[n]);
    for (size_t n = 0; r == 0 && n < jwe_grants(s->j, s->i); n++) {
        memset(&g, 0, sizeof g);
        if ((r = jwe_grant(s->j, s->i, n, &g.grant, s->e)) == 0 && g.grant.dk)
            r = try_granted(s, reader, kept, &g);
        granted_clear(&g);
    }
    return r;
}

int search_ask(struct search *s, const struct reader *reader, const char *at, const struct jwe_recipient *to,
               const char *udf, struct granted *out)
{
    int r = services_granted(s->t->services, at, to->kid, to, udf, reader->sign, out, s->e);

    if (r == ERR_ABSENT || r == ERR_DENIED) {
        s->denied = 1;
        s->denied_device |= reader->device != NULL;
        return 0;
    }
    return r < 0 ? r : 1;
}

struct ask {
    struct search *s;
    const struct reader *reader;
    const struct share *kept; /* NULL when none is */
};

/* Asks the group's service in the name of one of the reader's keys. */
static int ask_with_key(void *arg, const char *udf, struct err *e)
{
    struct ask *a = arg;
    struct granted g;
    int r = search_ask(a->s, a->reader, a->s->account, &a->s->to, udf, &g);

    (void)e;
    if (r == 1)
        r = try_granted(a->s, a->reader, a->kept, &g);
    granted_clear(&g);
    return r;
}

/* The reader as a member of the group that the recipient names. */
static int try_reader(struct search *s, const struct reader *reader)
{
    struct share share;
    struct ask a = {s, reader, NULL};
    int r = shares_load(s->t->home, s->to.kid, reader->member, &share, s->e);

    if (r == 0)
        a.kept = &share;
    else if (r != ERR_ABSENT)
        return r;
    if (s->phase == PHASE_SHARES)
        r = try_what_is_here(s, reader, a.kept);
    else if (args_given(s->t->args, OPT_OFFLINE))
        r = 0;
    else if (reader->device)
        r = ask_with_key(&a, reader->device->is.key_udf, s->e);
    else
        r = person_each_key(s->t->home, "persons", reader->member, ask_with_key, &a, s->e);
    if (a.kept)
        share_clear(&share);
    return r;
}

/* One of the user's accounts. */
static int try_person(void *arg, const char *account, struct err *e)
{
    struct search *s = arg;
    struct person person;
    struct reader reader = {account, NULL, NULL};
    int r;

    if (!strchr(account, '@'))
        return 0;
    r = person_open(s->t->home, account, &person, e);
    if (r == ERR_ABSENT) /* begun and never registered */
        return 0;
    if (r == 0) {
        reader.sign = person.sign;
        r = try_reader(s, &reader);
        person_close(&person);
        if (r == 1)
            deposit_send(s->t, account, 0);
    }
    return put_off(s, r);
}

/* This machine as a device of an account: its person's own mail, or that of a list she is a member of. */
static int try_device(void *arg, const char *account, struct err *e)
{
    struct search *s = arg;
    struct own_device device;
    struct reader reader = {device.is.member, NULL, &device};
    int r;

    if (!strchr(account, '@'))
        return 0;
    r = devices_open(s->t->home, account, &device, e);
    if (r == ERR_ABSENT) /* begun and never asked for */
        return 0;
    if (r == 0) {
        reader.sign = device.sign;
        r = strcmp(account, s->account) == 0 ? try_reader(s, &reader) : search_chain(s, &reader);
        devices_close(&device);
    }
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
    if (devices_exists(s->t->home, s->account))
        return try_device(s, s->account, s->e);
    if (person_exists(s->t->home, s->account)) /* a key of one's own that is not here is nobody's list */
        return 0;
    r = home_each(s->t->home, "persons", NULL, "", try_person, s, s->e);
    return r ? r : home_each(s->t->home, "devices", NULL, "", try_device, s, s->e);
}

/* Why nothing opened it. */
static int failure(const struct search *s, struct err *e)
{
    if (s->damaged)
        return err_set(e, ERR_CRYPTO, "this is for you, but it does not open: damaged or changed on its way");
    if (s->away.code)
        return err_set(e, s->away.code, "%s", s->away.text);
    if (s->denied_device)
        return err_set(e, ERR_DENIED,
                       "no grant: this device may not read this (%s). It was not accepted yet, was parked or removed, "
                       "or its person is no member; recrypt device connect shows how it stands",
                       s->account);
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
