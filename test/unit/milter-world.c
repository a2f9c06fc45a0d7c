#include "milter-world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/mta.h"

struct world world;

SMFICTX *world_ctx(void)
{
    return (SMFICTX *)&world;
}

static struct jwk *new_key(void)
{
    struct jwk *k = NULL;

    if (jwk_generate("X25519", &k, NULL) < 0)
        abort();
    return k;
}

void world_reset(void)
{
    void *priv = world.priv;
    struct jwk *key = world.key, *old = world.old;

    buf_free(&world.did);
    buf_free(&world.body);
    memset(&world, 0, sizeof world);
    world.priv = priv;
    world.key = key ? key : new_key();
    world.old = old ? old : new_key();
    world.actions = SMFI_CURR_ACTS;
    world.steps = SMFI_CURR_PROT;
    world.members = 3;
    world.state = KEY_ARCHIVED;
}

void world_free(void)
{
    buf_free(&world.did);
    buf_free(&world.body);
    jwk_free(&world.key);
    jwk_free(&world.old);
}

size_t world_count(const char *text)
{
    size_t n = 0, len = strlen(text);

    for (const char *p = buf_str(&world.did); *p; p = strchr(p, '\n') + 1)
        n += !strncmp(p, text, len);
    return n;
}

int world_did(const char *line)
{
    return world_count(line) == 1;
}

const char *world_keyid(const char *account, int old)
{
    char udf[JWK_UDF_SIZE];

    if (jwk_udf(old ? world.old : world.key, udf) < 0 || keyid_make(account, udf, world.keyid, NULL) < 0)
        abort();
    return world.keyid;
}

/* The mail server. */

void *mta_private(SMFICTX *ctx)
{
    (void)ctx;
    return world.priv;
}

int mta_set_private(SMFICTX *ctx, void *p)
{
    (void)ctx;
    world.priv = p;
    return 0;
}

void mta_want_macros(SMFICTX *ctx, int stage, const char *names)
{
    (void)ctx, (void)stage, (void)names;
}

const char *mta_macro(const struct mta *m, const char *name)
{
    (void)m;
    return !strcmp(name, "i") ? "4QUEUEID" : world.rcpt_addr;
}

int mta_reply(const struct mta *m, const char *code, const char *status, const char *const *lines, size_t count)
{
    (void)m;
    buf_printf(&world.did, "reply %s %s ", code, status);
    for (size_t i = 0; i < count; i++)
        buf_printf(&world.did, "%s%s", i ? "|" : "", lines[i]);
    return buf_puts(&world.did, "\n");
}

static int refused(void)
{
    return ++world.changes == world.fail_at ? ERR_SYSTEM : 0;
}

int mta_add_header(const struct mta *m, const char *name, const char *value)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "add %s: %s\n", name, value);
}

int mta_change_header(const struct mta *m, const char *name, int nth, const char *value)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "change %s %d %s\n", name, nth, value);
}

int mta_delete_header(const struct mta *m, const char *name, int nth)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "delete %s %d\n", name, nth);
}

int mta_replace_body(const struct mta *m, const void *data, size_t len)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_append(&world.body, data, len);
}

int mta_change_sender(const struct mta *m, const char *address)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "sender %s\n", address);
}

int mta_add_recipient(const struct mta *m, const char *address)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "recipient+ %s\n", address);
}

int mta_delete_recipient(const struct mta *m, const char *given)
{
    (void)m;
    return refused() ? ERR_SYSTEM : buf_printf(&world.did, "recipient- %s\n", given);
}

/* recryptd. */

static int away(int answers_resolve, struct err *e)
{
    if (world.away == 1 || (world.away == 2 && !answers_resolve))
        return err_set(e, ERR_RETRY, "recryptd: nobody listens");
    return 0;
}

int rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e)
{
    static const struct {
        const char *address;
        enum address_kind kind;
        enum plaintext_policy plaintext;
        const char *owner;
    } known[] = {{"list@example.com", ADDRESS_LIST, PLAINTEXT_REJECT, "pass@example.com"},
                 {"door@example.com", ADDRESS_LIST, PLAINTEXT_ENCRYPT, "pass@example.com"},
                 {"seal@example.com", ADDRESS_PERSON, PLAINTEXT_ENCRYPT, ""},
                 {"seal2@example.com", ADDRESS_PERSON, PLAINTEXT_ENCRYPT, ""},
                 {"refuse@example.com", ADDRESS_PERSON, PLAINTEXT_REJECT, ""},
                 {"refuse2@example.com", ADDRESS_PERSON, PLAINTEXT_REJECT, ""},
                 {"pass@example.com", ADDRESS_PERSON, PLAINTEXT_PASS, ""},
                 {"list+owner@example.com", ADDRESS_OWNER, 0, "seal@example.com"},
                 {"list+bounce@example.com", ADDRESS_OWNER, 0, "pass@example.com"},
                 {"door+owner@example.com", ADDRESS_OWNER, 0, "away@example.org"},
                 {"list+archive-right@example.com", ADDRESS_ARCHIVE, 0, ""},
                 {"list+archive-wrong@example.com", ADDRESS_RESERVED, 0, ""}};
    char canonical[ADDRESS_SIZE];
    int r;

    (void)c;
    world.resolved++;
    memset(out, 0, sizeof *out);
    if ((r = away(1, e)) < 0)
        return r;
    if (address_canonical(address, strlen(address), canonical, NULL) < 0)
        return 0;
    address = canonical;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].address, address)) {
            out->kind = known[i].kind;
            out->plaintext = known[i].plaintext;
            strcpy(out->account, address);
            strcpy(out->owner, known[i].owner);
            if (out->kind == ADDRESS_LIST || out->kind == ADDRESS_PERSON)
                strcpy(out->keyid, world_keyid(address, 0));
        }
    return 0;
}

int rclient_key(struct frame_client *c, const char *keyid, struct jwk **key, enum key_state *state,
                char account[ADDRESS_SIZE], struct err *e)
{
    char udf[64];
    int r;

    (void)c;
    *key = NULL;
    if ((r = away(0, e)) < 0)
        return r;
    *state = KEY_CURRENT;
    if (keyid_parse(keyid, account, udf, e) < 0)
        return ERR_ABSENT;
    return jwk_public_copy(world.key, key, e);
}

static int fill(struct expansion *out, const char *account)
{
    strcpy(out->account, account);
    snprintf(out->sender, sizeof out->sender, "bounce-of-%s", account);
    if (!(out->recipients = calloc(world.members + 1, sizeof *out->recipients)) ||
        !(out->grants = calloc(8, sizeof *out->grants)))
        return ERR_SYSTEM;
    for (; out->recipient_count < world.members; out->recipient_count++) {
        char address[32];

        snprintf(address, sizeof address, "m%zu@example.net", out->recipient_count);
        if (!(out->recipients[out->recipient_count] = strdup(address)))
            return ERR_SYSTEM;
    }
    for (; out->grant_count < 8; out->grant_count++) {
        memset(out->grants[out->grant_count].tag, (int)(0xa0 + out->grant_count), GRANT_TAG_LEN);
        out->grants[out->grant_count].value_len = 32;
    }
    return 0;
}

int rclient_expand(struct frame_client *c, const char *keyid, const struct suite *s, const unsigned char *epk,
                   size_t epk_len, struct expansion *out, struct err *e)
{
    char account[ADDRESS_SIZE], udf[64], mine[JWK_UDF_SIZE];
    int r;

    (void)c, (void)s, (void)epk, (void)epk_len;
    memset(out, 0, sizeof *out);
    world.expanded++;
    if ((r = away(0, e)) < 0)
        return r;
    if (world.expand_error)
        return err_set(e, world.expand_error, "scripted");
    if (keyid_parse(keyid, account, udf, e) < 0)
        return ERR_ABSENT;
    jwk_udf(world.key, mine);
    out->state = udf_equal(udf, mine) ? KEY_CURRENT : world.state;
    jwk_udf(world.old, mine);
    if (out->state != KEY_CURRENT && !udf_equal(udf, mine))
        return err_set(e, ERR_ABSENT, "no such key");
    strcpy(out->current, world_keyid(account, 0));
    if (out->state == KEY_RETIRED)
        return 0;
    return fill(out, account);
}

void expansion_clear(struct expansion *x)
{
    for (size_t i = 0; i < x->recipient_count; i++)
        free(x->recipients[i]);
    free(x->recipients);
    for (size_t i = 0; i < x->grant_count; i++)
        grant_clear(&x->grants[i]);
    free(x->grants);
    memset(x, 0, sizeof *x);
}
