/* Drives a real recryptd over loopback and its socket: every request and every refusal of doc/protocol.md. The tests
 * build on each other, in the order of the table at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recryptd-tests.h"

struct world w;
struct who alice, bob, carol, dave, erin, list, list2;
struct roster roster;

int set_person(const struct who *p, const char *token)
{
    return world_status(&w, p->sign, "Set",
                        token ? J("{'Person':{'Profile':'%s','Token':'%s'}}", buf_str(&p->text), token)
                              : J("{'Person':{'Profile':'%s'}}", buf_str(&p->text)));
}

void invite(const char *address, char token[128])
{
    struct buf out = BUF_INIT;

    CU_ASSERT_EQUAL(world_run(&w, &out, "--invite", address, NULL), 0);
    CU_ASSERT_EQUAL(sscanf(buf_str(&out), "%127s", token), 1);
    buf_free(&out);
}

int register_person(const struct who *p)
{
    char token[128] = "";

    invite(p->address, token);
    return set_person(p, token);
}

/* The roster as it would be next, signed; serial is set. */
void sign_roster(struct roster *r, int64_t serial, struct buf *out)
{
    r->serial = serial;
    r->issued = time(NULL);
    buf_reset(out);
    CU_ASSERT_EQUAL(roster_sign(r, alice.sign, out, NULL), 0);
}

struct buf last_entry = BUF_INIT;

struct json_object *entry_for(const struct who *l, const struct who *member, int64_t serial, int64_t epoch)
{
    struct buf b = BUF_INIT;
    struct json_object *text;
    struct err e = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(w.service_key);
    CU_ASSERT_EQUAL_FATAL(entry_make(l->key, &member->profile, serial, epoch, alice.sign, w.service_key, &b, &e), 0);
    text = json_object_new_string(buf_str(&b));
    buf_free(&last_entry);
    last_entry = b;
    return text;
}

struct json_object *with_entries(struct json_object *kind, const char *name, struct json_object *entries)
{
    struct json_object *inner;

    CU_ASSERT_EQUAL_FATAL(sjson_object(kind, name, &inner, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sjson_set_object(inner, "Entries", entries), 0);
    return kind;
}

/* Set Members with the roster as it is and one entry of the member for each of the n keys. */
int add_member(const struct who *member, const struct who *const *keys, size_t n, int64_t serial)
{
    struct json_object *entries = json_object_new_array();
    struct buf text = BUF_INIT;
    int status;

    sign_roster(&roster, serial, &text);
    for (size_t i = 0; i < n; i++)
        json_object_array_add(entries, entry_for(keys[i], member, serial, (int64_t)i + 1));
    status = world_status(
        &w, alice.sign, "Set",
        with_entries(J("{'Members':{'Group':'%s','Roster':'%s'}}", list.address, buf_str(&text)), "Members", entries));
    buf_free(&text);
    return status;
}

void put_member(const struct who *member)
{
    char udf[JWK_UDF_SIZE];

    CU_ASSERT_EQUAL(jwk_udf(member->key, udf), 0);
    CU_ASSERT_EQUAL(roster_add(&roster, member->address, udf, NULL), 0);
}

/* RecryptData by p for the message; the whole answer. */
void ask_grant(const struct who *p, const char *keyid, const struct sealed *m, struct answer *out)
{
    struct json_object *body;
    char udf[JWK_UDF_SIZE];

    CU_ASSERT_EQUAL(jwk_udf(p->key, udf), 0);
    body = J("{'GroupKeyID':'%s','MemberKeyUDF':'%s'}", keyid, udf);
    sjson_set_object(body, "EphemeralKey", json_object_get(m->epk));
    CU_ASSERT_EQUAL(world_call(&w, p->sign, "RecryptData", body, NULL, out), 0);
}

int grant_status(const struct who *p, const struct who *l)
{
    struct sealed m;
    struct answer a;
    int status;

    CU_ASSERT_EQUAL_FATAL(seal(l, "x", &m), 0);
    ask_grant(p, l->profile.keyid, &m, &a);
    status = (int)a.status;
    answer_clear(&a);
    sealed_clear(&m);
    return status;
}

int reads(const struct who *p, const struct who *l)
{
    struct json_object *grant;
    struct sealed m;
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL_FATAL(seal(l, "for members", &m), 0);
    ask_grant(p, l->profile.keyid, &m, &a);
    yes = a.status == 201 && !sjson_object(a.body, "Grant", &grant, NULL) && opens(p, l, grant, &m, "for members");
    if (!yes)
        printf("# %s: %d %s\n", p->address, (int)a.status, a.text);
    answer_clear(&a);
    sealed_clear(&m);
    return yes;
}

struct frame_client *client(void)
{
    struct frame_client *c;

    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    return c;
}

void check_key(const char *what, const char *state, const struct who *current)
{
    struct answer a;
    const char *text;

    CU_ASSERT_EQUAL(world_call(&w, NULL, "GetKey", J("{'GroupID':'%s'}", what), NULL, &a), 0);
    CU_ASSERT_EQUAL(a.status, 201);
    CU_ASSERT(!sjson_string(a.body, "State", &text, NULL) && !strcmp(text, state));
    CU_ASSERT(!sjson_string(a.body, "Current", &text, NULL) && !strcmp(text, current->profile.keyid));
    answer_clear(&a);
}

int recipient(const struct expansion *x, const char *address)
{
    int n = 0;

    for (size_t i = 0; i < x->recipient_count; i++)
        n += !strcmp(x->recipients[i], address);
    return n;
}

int set_group(const struct who *l, const struct jwk *signer, const struct roster *r, const char *policy)
{
    struct buf text = BUF_INIT;
    int status;

    CU_ASSERT_EQUAL(roster_sign(r, l->sign, &text, NULL), 0);
    status = world_status(&w, signer, "Set",
                          J("{'Group':{'Profile':'%s','Roster':'%s'%s}}", buf_str(&l->text), buf_str(&text), policy));
    buf_free(&text);
    return status;
}

void first_roster(const struct who *l, struct roster *r)
{
    memset(r, 0, sizeof *r);
    memcpy(r->group, l->address, sizeof r->group);
    memcpy(r->keyid, l->profile.keyid, sizeof r->keyid);
    r->serial = r->epoch = 1;
    r->issued = 1700000000;
}

void must_start(void)
{
    if (!world_start(&w))
        return;
    printf("not ok - recryptd: starts\nBail out! Without it the rest means nothing\n");
    fflush(stdout);
    world_remove(&w);
    exit(1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a faulty configuration is named", test_configuration},
        {"first start makes keys and store", test_start},
        {"HTTP: what is no request gets a status", test_http},
        {"registration: tokens, domains, one account one signer", test_registration},
        {"a person's new key", test_new_person_key},
        {"signature, nonce, url and time are checked", test_signatures},
        {"a list is made, by administrators only", test_new_list},
        {"Get, Select and Policy are the owner's", test_get_and_select},
        {"members are added, with every fault refused", test_add},
        {"no more members than list_max", test_inline_max},
        {"ephemeral keys off the curve, of small order, of another suite are refused", test_bad_epk},
        {"every refusal of a grant is the same", test_refusals_are_one},
        {"Resolve knows every class of address", test_resolve},
        {"Expand: padded, in random order, one grant a member", test_expand},
        {"Grant and Key", test_local_grant_and_key},
        {"the local socket closes on what is not for it", test_local_misuse},
        {"roles by user", test_roles},
        {"mutated requests harm nothing", test_mutated_requests},
        {"who is removed gets the answer of a stranger", test_remove},
        {"new keys: archived and retired, removal with rekey", test_rekey},
        {"reload: a broken configuration changes nothing", test_reload},
        {"the access log has every grant and can be rotated", test_log_rotation},
        {"a second recryptd is refused", test_second},
        {"a restart keeps everything", test_restart},
        {"too low a limit of descriptors lowers the numbers of connections", test_descriptors_low},
        {"out of descriptors, both fronts recover", test_descriptors_out},
        {"quota", test_quota},
        {"no grant without a line in the access log", test_log_full},
        {"a restored store is in quarantine and revives nobody", test_restore},
        {"who is missing after a restore is named", test_missing},
        {"a large list's message, one copy a member", test_fanout},
        {"a list over the limit does not grow, and can shrink", test_over_limit},
        {"faults of store and service key are named", test_store_faults},
    };
    int status;

    if (world_make(&w))
        return 1;
    who_make(&alice, "alice@example.com", "X25519");
    who_make(&bob, "bob@example.com", "X25519");
    who_make(&carol, "carol@example.net", "X448");
    who_make(&dave, "dave@example.com", "X25519");
    who_make(&erin, "erin@example.com", "P-256");
    who_make_list(&list2, "second@example.com", &alice, "X25519", 1);
    status = unit_main("recryptd", tests, sizeof tests / sizeof *tests);
    roster_clear(&roster);
    who_clear(&alice);
    who_clear(&bob);
    who_clear(&carol);
    who_clear(&dave);
    who_clear(&erin);
    who_clear(&list);
    who_clear(&list2);
    if (status && getenv("KEEP"))
        printf("# kept: %s\n", w.dir);
    else
        world_remove(&w);
    return status;
}
