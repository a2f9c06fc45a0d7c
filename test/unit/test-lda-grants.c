#include "lda/grants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailcrypt.h"
#include "unit.h"

/* The service, as this test has it: one list of ours whose one member is bob. */
static struct {
    char list[KEYID_SIZE], elsewhere[KEYID_SIZE], people[2][KEYID_SIZE]; /* bob and erin */
    int grant_error, key_error, resolve_error; /* answers in place of the proper ones */
    size_t devices;             /* of the person whose key list is, when that is asked for */
    int calls;
} service;
static enum grants_mode mode = GRANTS_EMBED;
static const char *const people[] = {"bob@example.com", "erin@example.com"};

int rclient_grant(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                  const unsigned char *epk, size_t epk_len, struct grant *out, struct err *e)
{
    (void)c;
    service.calls++;
    memset(out, 0, sizeof *out);
    if (service.grant_error)
        return err_set(e, service.grant_error, "as told");
    if (strcmp(account, "bob@example.com") != 0 || strcmp(keyid, service.list) != 0)
        return err_set(e, ERR_ABSENT, "no grant");
    CU_ASSERT(epk_len == suite_pub_len(s));
    memset(out->tag, 0xb0, sizeof out->tag);
    out->value_len = suite_value_len(s);
    memcpy(out->value, epk, out->value_len);
    out->dk = strdup("statement.for.bob");
    return 0;
}

int rclient_device_grants(struct frame_client *c, const char *account, const char *keyid, const struct suite *s,
                          const unsigned char *epk, size_t epk_len, struct grant **out, size_t *n, struct err *e)
{
    (void)c;
    (void)e;
    service.calls++;
    *out = NULL;
    *n = 0;
    if (service.grant_error)
        return err_set(e, service.grant_error, "as told");
    CU_ASSERT(strncmp(keyid, account, strlen(account)) == 0 && epk_len == suite_pub_len(s));
    *out = calloc(service.devices + 1, sizeof **out);
    for (; *n < service.devices; ++*n) {
        struct grant *g = &(*out)[*n];

        memset(g->tag, 0xd0 + (int)*n, sizeof g->tag);
        g->value_len = suite_value_len(s);
        memcpy(g->value, epk, g->value_len);
        g->dk = strdup("statement.of.device");
    }
    return 0;
}

void grant_list_free(struct grant *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        grant_clear(&list[i]);
    free(list);
}

int rclient_key(struct frame_client *c, const char *account_or_keyid, struct jwk **key, enum key_state *state,
                char account[ADDRESS_SIZE], struct err *e)
{
    (void)c;
    service.calls++;
    *key = NULL;
    *state = KEY_CURRENT;
    account[0] = 0;
    if (service.key_error)
        return err_set(e, service.key_error, "as told");
    for (int i = 0; i < 2; i++)
        if (strcmp(account_or_keyid, service.people[i]) == 0) {
            strcpy(account, people[i]);
            return 0;
        }
    if (strcmp(account_or_keyid, service.list) != 0)
        return err_set(e, ERR_ABSENT, "no such key");
    strcpy(account, "list@example.com");
    return 0;
}

int rclient_resolve(struct frame_client *c, const char *address, struct address_info *out, struct err *e)
{
    (void)c;
    service.calls++;
    memset(out, 0, sizeof *out);
    if (service.resolve_error)
        return err_set(e, service.resolve_error, "as told");
    out->kind = strcmp(address, "list@example.com") == 0 ? ADDRESS_LIST : ADDRESS_PERSON;
    strcpy(out->account, address);
    return 0;
}

/* An encrypted message to the list, to a list elsewhere and to a key that is no group's; eight grants each. */
static struct jwe *jwe;
static struct buf ciphertext, original;

static struct jwk *key_for(const char *address, char keyid[KEYID_SIZE])
{
    char udf[JWK_UDF_SIZE];
    struct jwk *k = NULL;

    if (jwk_generate("X25519", &k, NULL) < 0 || jwk_udf(k, udf) < 0 ||
        (address && (keyid_make(address, udf, keyid, NULL) < 0 || jwk_set_kid(k, keyid) < 0)))
        abort();
    return k;
}

static void fill_grants(size_t i, size_t n)
{
    struct grant g[8];

    memset(g, 0, sizeof g);
    for (size_t k = 0; k < n; k++) {
        memset(g[k].tag, (int)k, sizeof g[k].tag);
        memset(g[k].value, (int)k, 32);
        g[k].value_len = 32;
    }
    if (jwe_set_grants(jwe, i, g, n, NULL) < 0)
        abort();
}

static void compose_to(const char *eol, struct jwk *const *to, size_t recipients, size_t grants)
{
    struct buf type = BUF_INIT, body = BUF_INIT, crlf = BUF_INIT;

    jwe_free(&jwe);
    buf_free(&ciphertext);
    buf_free(&original);
    if (jwe_encrypt((const struct jwk *const *)to, recipients, NULL, "hello", 5, &jwe, &ciphertext, NULL) < 0)
        abort();
    for (size_t i = 0; i < recipients && grants; i++)
        fill_grants(i, grants);
    if (mailcrypt_build(jwe, &ciphertext, &type, &body, NULL) < 0)
        abort();
    buf_printf(&crlf, "From: dave@example.net\r\nSubject: [...]\r\nContent-Type: %s\r\nX-Last: y\r\n\r\n%s",
               buf_str(&type), buf_str(&body));
    for (size_t i = 0; i < crlf.len; i++)
        if (crlf.data[i] != '\r' || strcmp(eol, "\r\n") == 0)
            buf_append(&original, crlf.data + i, 1);
    buf_free(&type);
    buf_free(&body);
    buf_free(&crlf);
    service.grant_error = service.key_error = service.resolve_error = service.calls = 0;
}

static void compose(const char *eol, size_t recipients, size_t grants)
{
    struct jwk *to[] = {key_for("list@example.com", service.list), key_for("other@example.net", service.elsewhere),
                        key_for(NULL, NULL)};

    compose_to(eol, to, recipients, grants);
    for (int i = 0; i < 3; i++)
        jwk_free(&to[i]);
}

static int apply(const char *account, enum grants_kind *kind, struct buf *out)
{
    buf_reset(out);
    return grants_apply(NULL, account, mode, (struct span){original.data, original.len}, kind, out, NULL);
}

/* Parses what came out; how many grants recipient i has. The rest must be as it was. */
static size_t grants_of(const struct buf *text, size_t i, struct grant *first)
{
    struct span header, body, old_header, old_body;
    struct mailcrypt m, old;
    struct buf now = BUF_INIT;
    size_t n = 99;

    CU_ASSERT(mailcrypt_find_message((struct span){original.data, original.len}, &old_header, &old_body, &old, NULL) ==
              0);
    if (mailcrypt_find_message((struct span){text->data, text->len}, &header, &body, &m, NULL) < 0) {
        CU_FAIL("what came out cannot be read");
        mailcrypt_clear(&old);
        return n;
    }
    CU_ASSERT(header.len == old_header.len && memcmp(header.data, old_header.data, header.len) == 0);
    CU_ASSERT(m.part2.len == old.part2.len && memcmp(m.part2.data, old.part2.data, m.part2.len) == 0);
    CU_ASSERT(mailcrypt_ciphertext(&m, &now, NULL) == 0 && now.len == ciphertext.len &&
              memcmp(now.data, ciphertext.data, now.len) == 0);
    n = jwe_grants(m.jwe, i);
    if (first && n)
        CU_ASSERT(jwe_grant(m.jwe, i, 0, first, NULL) == 0);
    buf_free(&now);
    mailcrypt_clear(&m);
    mailcrypt_clear(&old);
    return n;
}

static void test_member(void)
{
    static const char *const eols[] = {"\n", "\r\n"};
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    for (int i = 0; i < 2; i++) {
        struct grant g = {0};

        compose(eols[i], 2, 8);
        CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
        CU_ASSERT(grants_of(&out, 0, &g) == 1 && grants_of(&out, 1, NULL) == 8);
        CU_ASSERT(g.tag[0] == 0xb0 && g.dk && strcmp(g.dk, "statement.for.bob") == 0);
        grant_clear(&g);
        CU_ASSERT((strchr(buf_str(&out), '\r') != NULL) == i);
    }
    buf_free(&out);
}

static void test_again(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 2, 8);
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && out.len > 0);
    buf_reset(&original);
    buf_append(&original, out.data, out.len);
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED && out.len == 0);
    buf_free(&out);
}

static void test_stranger(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 2, 8);
    CU_ASSERT(apply("eve@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
    CU_ASSERT(grants_of(&out, 0, NULL) == 0 && grants_of(&out, 1, NULL) == 8);
    CU_ASSERT(strstr(buf_str(&out), "statement") == NULL);
    buf_free(&out);
}

static void test_archive(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 3, 8);
    CU_ASSERT(apply(NULL, &kind, &out) == 0 && kind == GRANTS_ENCRYPTED && service.calls == 0);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(grants_of(&out, i, NULL) == 0);
    buf_free(&out);
}

static void test_no_group_key(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 3, 8);
    CU_ASSERT(apply("eve@example.com", &kind, &out) == 0);
    CU_ASSERT(grants_of(&out, 2, NULL) == 0);
    buf_free(&out);
}

static void test_unchanged(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 2, 0);
    CU_ASSERT(apply("eve@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED && out.len == 0);
    buf_reset(&original);
    buf_puts(&original, "From: a@b\n\nplain\n");
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_PLAIN && out.len == 0);
    buf_reset(&original);
    buf_puts(&original, "Content-Type: application/jose+json\n\n{\"protected\":}\n");
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_BROKEN && out.len == 0);
    buf_free(&out);
}

static void test_away(void)
{
    static const int temporary[] = {ERR_RETRY, ERR_SYSTEM, ERR_DENIED, ERR_EXISTS};
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    compose("\n", 2, 8);
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++) {
        service.grant_error = temporary[i];
        CU_ASSERT(err_temporary(apply("bob@example.com", &kind, &out)) && out.len == 0);
        service.grant_error = 0;
        service.key_error = temporary[i];
        CU_ASSERT(err_temporary(apply("eve@example.com", &kind, &out)) && out.len == 0);
        service.key_error = 0;
    }
    /* An ephemeral key that is refused will be refused tomorrow as well. */
    service.grant_error = ERR_KEY;
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && grants_of(&out, 0, NULL) == 0);
    CU_ASSERT(grants_of(&out, 1, NULL) == 8);
    buf_free(&out);
}

static void test_whole(void)
{
    struct buf out = BUF_INIT, text = BUF_INIT;
    struct span header, body;
    struct mailcrypt m;
    enum grants_kind kind;

    compose("\n", 1, 8);
    CU_ASSERT(jwe_write(jwe, &ciphertext, &text, NULL) == 0);
    buf_reset(&original);
    buf_printf(&original,
               "From: a@b\nContent-Type: application/jose+json\nContent-Transfer-Encoding: 8bit\nX: y\n\n%s\n",
               buf_str(&text));
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
    CU_ASSERT_FATAL(mailcrypt_find_message((struct span){out.data, out.len}, &header, &body, &m, NULL) == 0);
    CU_ASSERT(m.kind == MAILCRYPT_TWO_PART && jwe_grants(m.jwe, 0) == 1);
    CU_ASSERT(strncmp(buf_str(&out), "From: a@b\nX: y\nContent-Type: multipart/encrypted;", 49) == 0);
    CU_ASSERT(strchr(buf_str(&out), '\r') == NULL);
    mailcrypt_clear(&m);
    buf_free(&text);
    buf_free(&out);
}

/* Grants are made when the mail is read: none of ours stays, not even her own; another service's do. */
static void test_on_fetch(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;

    mode = GRANTS_ON_FETCH;
    compose("\n", 3, 8);
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
    CU_ASSERT(grants_of(&out, 0, NULL) == 0 && grants_of(&out, 1, NULL) == 8 && grants_of(&out, 2, NULL) == 0);
    CU_ASSERT(strstr(buf_str(&out), "statement") == NULL);
    service.key_error = ERR_RETRY;
    CU_ASSERT(err_temporary(apply("bob@example.com", &kind, &out)) && out.len == 0);
    compose("\n", 2, 0);
    CU_ASSERT(apply("bob@example.com", &kind, &out) == 0 && out.len == 0);
    mode = GRANTS_EMBED;
    buf_free(&out);
}

/* Mail to a person's own key: each of her devices its grant. (The key's name is the list's, which she is here.) */
static void test_devices(void)
{
    enum grants_kind kind;
    struct buf out = BUF_INIT;
    struct grant g = {0};

    for (size_t n = 0; n < 3; n++) {
        compose("\n", 2, 8);
        service.devices = n;
        CU_ASSERT(apply("list@example.com", &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
        CU_ASSERT(grants_of(&out, 0, n ? &g : NULL) == n && grants_of(&out, 1, NULL) == 8);
        CU_ASSERT(!n || (g.tag[0] == 0xd0 && strcmp(g.dk, "statement.of.device") == 0));
        grant_clear(&g);
        buf_reset(&original);
        buf_append(&original, out.data, out.len);
        CU_ASSERT(apply("list@example.com", &kind, &out) == 0 && out.len == 0); /* a second time */
    }
    service.devices = 0;
    service.grant_error = ERR_RETRY;
    CU_ASSERT(err_temporary(apply("list@example.com", &kind, &out)) && out.len == 0);
    service.grant_error = 0;
    buf_free(&out);
}

/* The keys named in what came out, in their order: 'b'ob, 'e'rin, 'l'ist, list elsewhere 'o', '?'; and what key opens
 * of it. */
static void check_parts(const struct buf *text, const char *wanted, const struct jwk *key, int opens)
{
    struct buf data = BUF_INIT, plain = BUF_INIT;
    struct span header, body;
    struct mailcrypt m;
    char names[8] = "";

    CU_ASSERT_FATAL(mailcrypt_find_message((struct span){text->data, text->len}, &header, &body, &m, NULL) == 0);
    for (size_t i = 0; i < jwe_recipients(m.jwe); i++) {
        struct jwe_recipient to;

        CU_ASSERT(jwe_recipient(m.jwe, i, &to, NULL) == 0);
        names[i] = !strcmp(to.kid, service.people[0]) ? 'b'
                   : !strcmp(to.kid, service.people[1]) ? 'e'
                   : !strcmp(to.kid, service.list)      ? 'l'
                   : !strcmp(to.kid, service.elsewhere) ? 'o'
                                                        : '?';
    }
    CU_ASSERT_STRING_EQUAL(names, wanted);
    CU_ASSERT(mailcrypt_ciphertext(&m, &data, NULL) == 0);
    CU_ASSERT((jwe_decrypt(m.jwe, key, &data, &plain, NULL) == 0) == opens);
    CU_ASSERT(!opens || (plain.len == 5 && memcmp(plain.data, "hello", 5) == 0));
    buf_free(&data);
    buf_free(&plain);
    mailcrypt_clear(&m);
}

/* What a sender sealed to several: each copy has its own person's part, and what anybody might read by. */
static void test_others(void)
{
    struct jwk *bob = key_for(people[0], service.people[0]), *erin = key_for(people[1], service.people[1]);
    struct jwk *ours = key_for("list@example.com", service.list), *far = key_for("x@example.net", service.elsewhere);
    struct jwk *none = key_for(NULL, NULL);
    struct buf out = BUF_INIT;
    enum grants_kind kind;

    for (int m = 0; m < 2; m++) {
        mode = m ? GRANTS_ON_FETCH : GRANTS_EMBED;
        compose_to("\n", (struct jwk *[]){erin, bob}, 2, 0);
        CU_ASSERT(apply(people[0], &kind, &out) == 0 && kind == GRANTS_ENCRYPTED);
        check_parts(&out, "b", bob, 1);
        check_parts(&out, "b", erin, 0);
        CU_ASSERT(strstr(buf_str(&out), "erin") == NULL);
        CU_ASSERT(apply(people[1], &kind, &out) == 0);
        check_parts(&out, "e", erin, 1);
        /* nothing of hers: all stays */
        CU_ASSERT(apply("carol@example.com", &kind, &out) == 0 && out.len == 0);
        service.resolve_error = ERR_RETRY;
        CU_ASSERT(apply(people[0], &kind, &out) == ERR_RETRY && out.len == 0);
        compose_to("\r\n", (struct jwk *[]){bob, far, erin, ours, none}, 5, 0);
        CU_ASSERT(apply(people[0], &kind, &out) == 0);
        check_parts(&out, "bol?", bob, 1);
        CU_ASSERT(apply("carol@example.com", &kind, &out) == 0);
        check_parts(&out, "ol?", ours, 1);
        /* what is left needs no second change */
        buf_reset(&original);
        buf_append(&original, out.data, out.len);
        CU_ASSERT(apply("carol@example.com", &kind, &out) == 0 && out.len == 0);
        compose_to("\n", (struct jwk *[]){erin}, 1, 0);
        CU_ASSERT(apply(people[0], &kind, &out) == 0 && out.len == 0);
    }
    mode = GRANTS_EMBED;
    memset(service.people, 0, sizeof service.people);
    jwk_free(&bob);
    jwk_free(&erin);
    jwk_free(&ours);
    jwk_free(&far);
    jwk_free(&none);
    buf_free(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {{"a member gets her own grant and no other", test_member},
                                             {"a second pass changes nothing", test_again},
                                             {"a stranger gets none", test_stranger},
                                             {"an archive has none", test_archive},
                                             {"no group key: none", test_no_group_key},
                                             {"what needs no change has none", test_unchanged},
                                             {"no answer, no delivery", test_away},
                                             {"made on fetching: none", test_on_fetch},
                                             {"a person's devices get one each", test_devices},
                                             {"another person's part is taken out", test_others},
                                             {"a whole JWE becomes two parts", test_whole}};
    int r = unit_main("lda-grants", tests, sizeof tests / sizeof *tests);

    jwe_free(&jwe);
    buf_free(&ciphertext);
    buf_free(&original);
    return r;
}
