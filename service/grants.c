#include "grants.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwe.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "service.h"

enum { SUITES = 8, STAND_IN_STATEMENT = 1400 };

static const char stand_in_member[] = "nobody@invalid";
static const char stand_in_key[] = "nobody";

struct grants {
    struct buf stand_in[SUITES]; /* encoded entries, made when first needed */
    struct buf statement;        /* so is this */
};

int grants_new(struct grants **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_errno(e, "grants");
}

void grants_free(struct grants **g)
{
    if (!*g)
        return;
    for (int i = 0; i < SUITES; i++)
        buf_free(&(*g)->stand_in[i]);
    buf_free(&(*g)->statement);
    free(*g);
    *g = NULL;
}

/* An entry of that suite that is nobody's, in its stored form, so that reading it costs what reading a real one does.
 */
static int stand_in(struct grants *g, const struct records *r, const struct suite *s, const struct buf **out,
                    struct err *e)
{
    struct entry_record en = {.active = 1};
    int i = 0, rc;

    while (i < SUITES && suite_at((size_t)i) != s)
        i++;
    if (i == SUITES)
        return err_set(e, ERR_UNSUPPORTED, "no such suite");
    *out = &g->stand_in[i];
    if (g->stand_in[i].len)
        return 0;
    memcpy(en.member, stand_in_member, sizeof stand_in_member);
    en.statement = malloc(STAND_IN_STATEMENT + 1);
    rc = en.statement ? suite_generate(s, &en.r, e) : err_errno(e, "grant");
    if (!rc) {
        memset(en.statement, 'A', STAND_IN_STATEMENT);
        en.statement[STAND_IN_STATEMENT] = '\0';
        rc = entry_encode(r, stand_in_key, &en, &g->stand_in[i], e);
    }
    entry_record_clear(&en);
    return rc;
}

/* What is inside the JWE, as long as a half and its tag key are. */
enum { STAND_IN_HALF = 120 };

static int make_statement(struct buf *out, struct err *e)
{
    static const char kid[] = "nobody@invalid.mm--maaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa";
    struct json_object *obj = json_object_new_object();
    struct jwk *key = NULL, *signer = NULL;
    struct buf dk = BUF_INIT;
    char half[STAND_IN_HALF] = "";
    int rc = jwk_generate("X25519", &key, e);

    rc = rc ? rc : jwk_generate("Ed25519", &signer, e);
    rc = rc ? rc : jwk_set_kid(key, kid);
    rc = rc ? rc : jwe_seal_compact(key, &(struct jwe_options){0}, half, sizeof half, &dk, e);
    if (!rc && (sjson_set_int(obj, "v", 1) || sjson_set_string(obj, "group", kid) ||
                sjson_set_string(obj, "member", stand_in_member) || sjson_set_string(obj, "mkid", kid) ||
                sjson_set_string(obj, "suite", "X25519") || sjson_set_string(obj, "dk", buf_str(&dk)) ||
                sjson_set_b64(obj, "rhash", half, 32) || sjson_set_int(obj, "serial", 1) ||
                sjson_set_int(obj, "epoch", 1) || sjson_set_int(obj, "iat", 1)))
        rc = err_set(e, ERR_SYSTEM, "out of memory");
    rc = rc ? rc : jws_sign_json(signer, "recrypt-entry", obj, out, e);
    json_object_put(obj);
    jwk_free(&key);
    jwk_free(&signer);
    buf_free(&dk);
    return rc;
}

int grants_stand_in(struct grants *g, const char **out, struct err *e)
{
    int rc = g->statement.len ? 0 : make_statement(&g->statement, e);

    *out = buf_str(&g->statement);
    return rc;
}

static int make(struct entry_tagger *t, const struct suite_key *r, const unsigned char tagkey[32],
                const struct epk *epk, struct grant *out, struct err *e)
{
    int rc = suite_agree(r, epk->peer, out->value, e);

    out->value_len = suite_value_len(epk->suite);
    return rc ? rc : entry_tagger_tag(t, tagkey, epk->raw, epk->len, out->tag, e);
}

/* A member's entry of that suite. Another's, a revoked one, none at all: what is not there to be decoded is made up for
 * with the stand-in, in other. 1 = en, 0 = other. */
static int find_entry(struct grants *g, struct records *r, const char *keyid, const struct suite *suite,
                      const char *member, struct entry_record *en, struct entry_record *other, struct err *e)
{
    const struct buf *nobody = NULL;
    int rc = stand_in(g, r, suite, &nobody, e);

    rc = rc ? rc : entry_get(r, keyid, member, en, e);
    if (rc && rc != ERR_ABSENT)
        return rc;
    if (!rc && en->active && suite_key_suite(en->r) == suite)
        return 1;
    return entry_decode(r, stand_in_key, stand_in_member, nobody->data, nobody->len, other, e);
}

int grant_one(struct grants *g, struct records *r, const char *keyid, const char *member, const char *key_udf,
              const char *signer, const struct epk *epk, int allowed, struct json_object **out, struct err *e)
{
    struct entry_record en = {0}, other = {0};
    struct entry_tagger *tagger = NULL;
    struct grant grant = {0};
    const struct entry_record *use;
    int rc = find_entry(g, r, keyid, epk->suite, member, &en, &other, e);

    *out = NULL;
    if (rc < 0)
        goto out;
    use = rc ? &en : &other;
    /* One that is refused for other reasons does the rest of the work, too. */
    allowed = allowed && rc && (!key_udf || !strcmp(key_udf, en.key_udf)) && (!signer || !strcmp(signer, en.signer));
    rc = entry_tagger_new(&tagger, e);
    rc = rc ? rc : make(tagger, use->r, use->tagkey, epk, &grant, e);
    grant.dk = use->statement;
    rc = rc ? rc : grant_to_json(&grant, out, e);
    grant.dk = NULL;
    if (!rc && !allowed) {
        json_object_put(*out);
        *out = NULL;
        rc = err_set(e, ERR_ABSENT, "no grant");
    }
out:
    entry_tagger_free(&tagger);
    secret_wipe(&grant, sizeof grant);
    entry_record_clear(&en);
    entry_record_clear(&other);
    return rc;
}

static int seal(const struct entry_record *en, struct grants_sealed *also, struct err *e)
{
    struct entry_tagger *tagger = NULL;
    struct grant g = {.dk = NULL};
    int rc = entry_tagger_new(&tagger, e);

    rc = rc ? rc : make(tagger, en->r, en->tagkey, also->epk, &g, e);
    rc = rc ? rc : sealed_grant_make(&g, also->to, &also->text, e);
    entry_tagger_free(&tagger);
    grant_clear(&g);
    return rc;
}

int grants_statement(struct grants *g, struct records *r, const char *keyid, const struct suite *suite,
                     const char *member, const char *signer, int allowed, struct grants_sealed *also, char **out,
                     struct err *e)
{
    struct entry_record en = {0}, other = {0};
    int found = find_entry(g, r, keyid, suite, member, &en, &other, e), rc = found < 0 ? found : 0;

    *out = NULL;
    if (!rc && also)
        rc = seal(found ? &en : &other, also, e);
    if (!rc && found && allowed && !strcmp(signer, en.signer) && (!also || !strcmp(also->to_udf, en.key_udf))) {
        *out = en.statement;
        en.statement = NULL;
    } else if (!rc) {
        rc = err_set(e, ERR_ABSENT, "no statement");
    }
    entry_record_clear(&en);
    entry_record_clear(&other);
    return rc;
}

int grant_make(struct entry_tagger *t, const struct suite_key *r, const unsigned char tagkey[32], const struct epk *epk,
               const char *statement, struct json_object **out, struct err *e)
{
    struct grant g = {.dk = (char *)(uintptr_t)statement};
    int rc = make(t, r, tagkey, epk, &g, e);

    *out = NULL;
    rc = rc ? rc : grant_to_json(&g, out, e);
    secret_wipe(&g, sizeof g);
    return rc;
}

int grant_member(const struct entry_record *en, const struct epk *epk, struct json_object **out, struct err *e)
{
    struct entry_tagger *tagger = NULL;
    int rc = entry_tagger_new(&tagger, e);

    *out = NULL;
    rc = rc ? rc : grant_make(tagger, en->r, en->tagkey, epk, en->statement, out, e);
    entry_tagger_free(&tagger);
    return rc;
}

/* Random numbers, drawn many at a time: each call of the generator costs as much as several of them. */
struct draws {
    uint32_t list[64];
    size_t left;
};

/* Uniform below n. */
static int random_below(struct draws *d, uint32_t n, uint32_t *out)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % n, v;

    do {
        if (!d->left) {
            if (RAND_bytes((unsigned char *)d->list, sizeof d->list) != 1)
                return ERR_SYSTEM;
            d->left = sizeof d->list / sizeof *d->list;
        }
        v = d->list[--d->left];
    } while (v >= limit);
    *out = v % n;
    return 0;
}

int shuffle(void **list, size_t count, struct err *e)
{
    struct draws d = {.left = 0};
    int rc = 0;

    for (size_t i = count; i > 1 && !rc; i--) {
        uint32_t j = 0;
        void *t;

        rc = random_below(&d, (uint32_t)i, &j);
        t = list[i - 1];
        list[i - 1] = list[j];
        list[j] = t;
    }
    secret_wipe(&d, sizeof d); /* the order tells who is whose */
    return rc ? err_set(e, ERR_SYSTEM, "no random numbers") : 0;
}

static int dummy(const struct epk *epk, struct grant *out, struct err *e)
{
    out->value_len = suite_value_len(epk->suite);
    if (RAND_bytes(out->tag, sizeof out->tag) != 1)
        return err_set(e, ERR_SYSTEM, "no random numbers");
    return suite_dummy_value(epk->peer, out->value, e);
}

static size_t padded(size_t n)
{
    size_t p = GRANTS_PAD;

    while (p < n)
        p *= 2;
    return p;
}

int grants_all(const struct hot_key *k, const struct epk *epk, struct json_object **out, struct err *e)
{
    size_t n = padded(k->count), made = 0;
    struct json_object **list = calloc(n, sizeof(struct json_object *)), *array = json_object_new_array();
    struct entry_tagger *tagger = NULL;
    int rc = list && array ? entry_tagger_new(&tagger, e) : err_errno(e, "grants");

    *out = NULL;
    for (; !rc && made < n; made++) {
        struct grant g = {0};

        rc =
            made < k->count ? make(tagger, k->entries[made].r, k->entries[made].tagkey, epk, &g, e) : dummy(epk, &g, e);
        rc = rc ? rc : grant_to_json(&g, &list[made], e);
        secret_wipe(&g, sizeof g);
    }
    rc = rc ? rc : shuffle((void **)list, n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = json_object_array_add(array, list[i]) ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
        if (!rc)
            list[i] = NULL;
    }
    for (size_t i = 0; list && i < n; i++)
        json_object_put(list[i]);
    free(list);
    entry_tagger_free(&tagger);
    if (rc) {
        json_object_put(array);
        return rc;
    }
    *out = array;
    return 0;
}
