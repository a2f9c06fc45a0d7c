/* Members, grants, removal, new keys (recryptd-tests.h). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/b64.h"
#include "recryptd-tests.h"
#include "service/servicekey.h"

/* ---- members ---- */

void test_add(void)
{
    const struct who *keys[] = {&list}, *wrong[] = {&list2}, *twice[] = {&list, &list};
    struct who unregistered, aliases, second;

    put_member(&bob);
    CU_ASSERT_EQUAL(add_member(&bob, keys, 1, 1), 409); /* serial */
    CU_ASSERT_EQUAL(add_member(&bob, keys, 0, 2), 400); /* no entry */
    CU_ASSERT_EQUAL(add_member(&bob, twice, 2, 2), 400);
    CU_ASSERT_EQUAL(add_member(&bob, wrong, 1, 2), 400);  /* another list's key */
    CU_ASSERT_EQUAL(add_member(&carol, keys, 1, 2), 400); /* not in the roster */
    CU_ASSERT_EQUAL(add_member(&bob, keys, 1, 2), 201);
    CU_ASSERT_EQUAL(add_member(&bob, keys, 1, 3), 409); /* a member already */
    CU_ASSERT_EQUAL(add_member(&bob, keys, 0, 3), 409); /* nobody new */
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    CU_ASSERT_EQUAL(grant_status(&dave, &list), 404);

    who_make(&unregistered, "nobody@example.com", "X25519");
    put_member(&unregistered);
    CU_ASSERT_EQUAL(add_member(&unregistered, keys, 1, 3), 400);
    CU_ASSERT_EQUAL(roster_remove(&roster, unregistered.address, NULL), 0);
    who_make(&aliases, "dave@example.com", "X25519"); /* another signature key than the registered one */
    put_member(&aliases);
    CU_ASSERT_EQUAL(add_member(&aliases, keys, 1, 3), 400);
    CU_ASSERT_EQUAL(roster_remove(&roster, aliases.address, NULL), 0);

    put_member(&carol);
    CU_ASSERT_EQUAL(roster_remove(&roster, bob.address, NULL), 0);
    CU_ASSERT_EQUAL(add_member(&carol, keys, 1, 3), 400); /* bob is missing */
    put_member(&bob);
    CU_ASSERT_EQUAL(add_member(&carol, keys, 1, 3), 201);
    CU_ASSERT_EQUAL(reads(&carol, &list), 1);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);

    /* a member's signature key under another name */
    who_make(&second, "carol2@example.net", "X25519");
    jwk_free(&second.sign);
    second.sign = carol.sign;
    who_sign(&second, NULL, 1);
    put_member(&second);
    CU_ASSERT_EQUAL(add_member(&second, keys, 1, 4), 400);
    CU_ASSERT_EQUAL(roster_remove(&roster, second.address, NULL), 0);
    second.sign = NULL;
    who_clear(&second);
    who_clear(&unregistered);
    who_clear(&aliases);
}

void test_inline_max(void)
{
    const struct who *keys[] = {&list};
    struct who more[4];
    char address[64];

    for (int i = 0; i < 4; i++) {
        snprintf(address, sizeof address, "m%d@example.net", i);
        who_make(&more[i], address, "X25519");
        put_member(&more[i]);
        CU_ASSERT_EQUAL(add_member(&more[i], keys, 1, 4 + i), i < 3 ? 201 : 409);
    }
    for (int i = 0; i < 4; i++) {
        struct buf text = BUF_INIT;

        CU_ASSERT_EQUAL(roster_remove(&roster, more[i].address, NULL), 0);
        who_clear(&more[i]);
        buf_free(&text);
    }
    /* the three that came in go again, one by one, the roster still naming those who are left */
    for (int i = 0; i < 3; i++) {
        struct roster next = roster;
        struct buf text = BUF_INIT;

        memset(&next.members, 0, sizeof next.members);
        next.count = 0;
        for (size_t k = 0; k < roster.count; k++)
            CU_ASSERT_EQUAL(roster_add(&next, roster.members[k].account, roster.members[k].key_udf, NULL), 0);
        sign_roster(&next, 10 + i, &text);
        /* only the last removal leaves exactly what the roster says */
        snprintf(address, sizeof address, "m%d@example.net", i);
        CU_ASSERT_EQUAL(
            world_status(&w, alice.sign, "Delete",
                         J("{'Group':'list@example.com','Member':'%s','Roster':'%s'}", address, buf_str(&text))),
            400);
        roster_clear(&next);
        buf_free(&text);
    }
    {
        struct json_object *missing;
        struct buf text = BUF_INIT;
        struct answer a;

        sign_roster(&roster, 20, &text);
        CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Set",
                                   J("{'Roster':{'Group':'list@example.com','Roster':'%s'}}", buf_str(&text)), NULL,
                                   &a),
                        0);
        CU_ASSERT_EQUAL(a.status, 202);
        CU_ASSERT(!sjson_array(a.body, "Missing", &missing, NULL) && json_object_array_length(missing) == 0);
        answer_clear(&a);
        buf_free(&text);
    }
}

/* ---- grants ---- */

static int epk_status(const struct who *p, const char *epk)
{
    char udf[JWK_UDF_SIZE];

    CU_ASSERT_EQUAL(jwk_udf(p->key, udf), 0);
    return world_status(&w, p->sign, "RecryptData",
                        J("{'GroupKeyID':'%s','MemberKeyUDF':'%s','EphemeralKey':%s}", list.profile.keyid, udf, epk));
}

void test_bad_epk(void)
{
    static const char *const bad[] = {
        /* 0, 1, and a point of order 8 */
        "{'kty':'OKP','crv':'X25519','x':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}",
        "{'kty':'OKP','crv':'X25519','x':'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}",
        "{'kty':'OKP','crv':'X25519','x':'4Ot6fDtBuK4WVuP68Z_EatoJjeuWMrH9hmIFFrhJuAA'}",
        /* u = 2 lies on the twist; p + 9 is not canonical */
        "{'kty':'OKP','crv':'X25519','x':'AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}",
        "{'kty':'OKP','crv':'X25519','x':'9v_______________________________________38'}",
        "{'kty':'OKP','crv':'X25519','x':'AAAA'}",
        "{'kty':'OKP','crv':'X25519'}",
        "{'kty':'OKP','crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}",
        "{'kty':'EC','crv':'P-256','x':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE',"
        "'y':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE'}",
        "{'kty':'oct','k':'AAAA'}",
        "{}",
    };
    struct jwk *p256 = NULL, *x25519 = NULL;
    struct json_object *obj = NULL;
    char *text;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = epk_status(&bob, bad[i]);

        if (status != 400)
            printf("# %s: %d\n", bad[i], status);
        CU_ASSERT_EQUAL(status, 400);
        CU_ASSERT_EQUAL(epk_status(&dave, bad[i]), 400); /* who is no member hears the same */
    }
    CU_ASSERT_EQUAL(
        world_status(&w, bob.sign, "RecryptData", J("{'GroupKeyID':'','MemberKeyUDF':'','EphemeralKey':{}}")), 400);
    /* a good key of another suite; a private key */
    CU_ASSERT_EQUAL(jwk_generate("P-256", &p256, NULL), 0);
    CU_ASSERT_EQUAL(jwk_to_json(p256, 0, &obj, NULL), 0);
    text = strdup(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN));
    CU_ASSERT_EQUAL(epk_status(&bob, text), 400);
    free(text);
    json_object_put(obj);
    CU_ASSERT_EQUAL(jwk_generate("X25519", &x25519, NULL), 0);
    CU_ASSERT_EQUAL(jwk_to_json(x25519, 1, &obj, NULL), 0);
    text = strdup(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN));
    CU_ASSERT_EQUAL(epk_status(&bob, text), 400);
    free(text);
    json_object_put(obj);
    jwk_free(&p256);
    jwk_free(&x25519);
}

/* Everything that would tell who is a member gets one answer. */
void test_refusals_are_one(void)
{
    struct who stranger, impostor;
    struct sealed m;
    struct answer first, a;
    struct json_object *body;

    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    ask_grant(&dave, list.profile.keyid, &m, &first); /* registered, no member */
    CU_ASSERT_EQUAL(first.status, 404);
    CU_ASSERT_STRING_EQUAL(first.text, "no grant");

    who_make(&stranger, "carol@example.net", "X25519"); /* unknown signer */
    ask_grant(&stranger, list.profile.keyid, &m, &a);
    CU_ASSERT(json_object_equal(first.all, a.all));
    CU_ASSERT_EQUAL(first.http, a.http);
    answer_clear(&a);

    ask_grant(&bob, "list@example.com.mm--aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa", &m, &a); /* no such key */
    CU_ASSERT(json_object_equal(first.all, a.all));
    answer_clear(&a);

    impostor = bob; /* a member's signature, another's key */
    impostor.key = carol.key;
    ask_grant(&impostor, list.profile.keyid, &m, &a);
    CU_ASSERT(json_object_equal(first.all, a.all));
    answer_clear(&a);

    body = J("{'GroupKeyID':'%s','MemberKeyUDF':'x'}", list.profile.keyid); /* a member's name, a bad signature */
    sjson_set_object(body, "EphemeralKey", json_object_get(m.epk));
    CU_ASSERT_EQUAL(world_call(&w, carol.sign, "RecryptData", body, &(struct spoil){.flip = 1}, &a), 0);
    CU_ASSERT(json_object_equal(first.all, a.all));
    answer_clear(&a);
    answer_clear(&first);
    sealed_clear(&m);
    who_clear(&stranger);
}

/* ---- removal, new keys ---- */

int delete_member(const char *member, int64_t serial)
{
    struct buf text = BUF_INIT;
    int status;

    sign_roster(&roster, serial, &text);
    status = world_status(&w, alice.sign, "Delete",
                          J("{'Group':'list@example.com','Member':'%s','Roster':'%s'}", member, buf_str(&text)));
    buf_free(&text);
    return status;
}

/* The service's half in the entry that was sent last: the test has the service's own key to look. */
static void service_half(unsigned char half[32])
{
    struct service_keys *own = NULL;
    struct entry en;
    char path[256];

    world_path(&w, "state/service.key", path);
    world_as_service(1);
    CU_ASSERT_EQUAL_FATAL(servicekey_load(path, &own, NULL), 0);
    world_as_service(0);
    CU_ASSERT_EQUAL_FATAL(entry_read(last_entry.data, last_entry.len, own->key, alice.sign, &en, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_priv_len(suite_key_suite(en.r)), 32);
    memcpy(half, suite_key_private(en.r), 32);
    entry_clear(&en);
    servicekey_free(&own);
}

/* No mapping of recryptd's own is larger; what a sanitizer keeps beside it is, by terabytes. */
#define MAPPING_MAX (1ul << 30)

/* How often recryptd has the middle of these octets in its memory, or their base64url; -1 when it may not be read. */
static int in_memory(const unsigned char half[32])
{
    static unsigned char piece[1 << 20];
    char path[64], line[512], perms[8];
    struct buf text = BUF_INIT;
    unsigned long from, to;
    int found = 0, mem;
    FILE *maps;

    CU_ASSERT_EQUAL_FATAL(b64url_encode(half, 32, &text), 0);
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)w.pid);
    if ((mem = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)w.pid);
    CU_ASSERT_PTR_NOT_NULL_FATAL(maps = fopen(path, "r"));
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) == 3 && perms[1] == 'w' && to - from <= MAPPING_MAX)
            for (ssize_t n; from < to && (n = pread(mem, piece, to - from < sizeof piece ? to - from : sizeof piece,
                                                    (off_t)from)) > 0;
                 from += (unsigned long)n)
                found += memmem(piece, (size_t)n, half + 8, 16) || memmem(piece, (size_t)n, text.data + 10, 20);
    fclose(maps);
    close(mem);
    buf_free(&text);
    return found;
}

/* What becomes of a message to that key now; the caller's to clear. */
static void expand(const struct who *l, struct expansion *x)
{
    struct frame_client *c = client();
    struct sealed m;

    CU_ASSERT_EQUAL_FATAL(seal(l, "x", &m), 0);
    CU_ASSERT_EQUAL(rclient_expand(c, l->profile.keyid, m.to.suite, m.to.epk, m.to.epk_len, x, NULL), 0);
    sealed_clear(&m);
    frame_client_free(&c);
}

void test_remove(void)
{
    const struct who *keys[] = {&list};
    unsigned char half[32];
    struct expansion x;
    struct answer stranger, gone;
    struct sealed m;

    put_member(&dave);
    CU_ASSERT_EQUAL(add_member(&dave, keys, 1, 30), 201);
    CU_ASSERT_EQUAL(reads(&dave, &list), 1);
    /* her half is kept ready for messages to the list, and wiped when she goes */
    expand(&list, &x);
    expansion_clear(&x);
    service_half(half);
    CU_ASSERT(in_memory(half) != 0);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 31), 400); /* still in the roster */
    CU_ASSERT_EQUAL(delete_member("erin@example.com", 31), 404);
    CU_ASSERT_EQUAL(roster_remove(&roster, "dave@example.com", NULL), 0);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 30), 409); /* serial */
    CU_ASSERT_EQUAL(world_status(&w, bob.sign, "Delete",
                                 J("{'Group':'list@example.com','Member':'dave@example.com',"
                                   "'Roster':'x'}")),
                    401);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 31), 201);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 32), 404);
    CU_ASSERT(in_memory(half) <= 0);

    /* the same answer, to the octet, as for somebody who never was a member */
    CU_ASSERT_EQUAL(register_person(&erin), 201);
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    ask_grant(&erin, list.profile.keyid, &m, &stranger);
    ask_grant(&dave, list.profile.keyid, &m, &gone);
    CU_ASSERT_EQUAL(gone.status, 404);
    CU_ASSERT(json_object_equal(stranger.all, gone.all));
    answer_clear(&stranger);
    answer_clear(&gone);
    sealed_clear(&m);
    expand(&list, &x);
    CU_ASSERT_EQUAL(recipient(&x, "dave@example.com"), 0);
    CU_ASSERT_EQUAL(recipient(&x, "bob@example.com"), 1);
    expansion_clear(&x);

    /* and comes in again */
    put_member(&dave);
    CU_ASSERT_EQUAL(add_member(&dave, keys, 1, 33), 201);
    CU_ASSERT_EQUAL(reads(&dave, &list), 1);
    CU_ASSERT_EQUAL(roster_remove(&roster, "dave@example.com", NULL), 0);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 34), 201);
}

static int rekey(const struct who *next, int64_t epoch, int64_t serial, int retire, const struct who *const *members,
                 size_t n)
{
    struct json_object *entries = json_object_new_array();
    struct buf text = BUF_INIT;
    int status;

    memcpy(roster.keyid, next->profile.keyid, sizeof roster.keyid);
    roster.epoch = epoch;
    sign_roster(&roster, serial, &text);
    for (size_t i = 0; i < n; i++)
        json_object_array_add(entries, entry_for(next, members[i], serial, epoch));
    status =
        world_status(&w, alice.sign, "Set",
                     with_entries(J("{'Rekey':{'Group':'list@example.com','Profile':'%s','Retire':%s,'Roster':'%s'}}",
                                    buf_str(&next->text), retire ? "true" : "false", buf_str(&text)),
                                  "Rekey", entries));
    buf_free(&text);
    return status;
}

/* What is no next key, or comes without what goes with it. */
static void rekey_refused(void)
{
    const struct who *both[] = {&bob, &carol};
    struct who next, thief;

    /* her key, and somebody else's signature key: that one would get her grants, also once she is gone */
    who_make(&thief, carol.address, "X25519");
    jwk_free(&thief.key);
    thief.key = carol.key;
    who_sign(&thief, NULL, 1);
    who_make_list(&next, "list@example.com", &alice, "X25519", 2);
    both[1] = &thief;
    CU_ASSERT_EQUAL(rekey(&next, 2, 40, 0, both, 2), 400);
    CU_ASSERT_EQUAL(grant_status(&thief, &list), 404);
    CU_ASSERT_EQUAL(grant_status(&thief, &next), 404);
    both[1] = &carol;
    thief.key = NULL;
    who_clear(&thief);
    who_clear(&next);
    who_make_list(&next, "list@example.com", &alice, "X25519", 1);
    CU_ASSERT_EQUAL(rekey(&next, 1, 40, 0, both, 2), 409); /* epoch */
    who_clear(&next);
    who_make_list(&next, "list@example.com", &alice, "X25519", 2);
    CU_ASSERT_EQUAL(rekey(&next, 2, 40, 0, both, 1), 400); /* an entry is missing */
    CU_ASSERT_EQUAL(rekey(&next, 2, 30, 0, both, 2), 409); /* serial */
    who_clear(&next);
}

void test_rekey(void)
{
    const struct who *both[] = {&bob, &carol}, *keys[2];
    static struct who old;
    struct expansion x;
    struct who next;

    rekey_refused();
    who_make_list(&next, "list@example.com", &alice, "X25519", 2);
    CU_ASSERT_EQUAL(rekey(&next, 2, 40, 0, both, 2), 202); /* archived */
    old = list;
    list = next;
    check_key(old.profile.keyid, "archived", &list);
    check_key(list.address, "current", &list);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    CU_ASSERT_EQUAL(reads(&bob, &old), 1);
    expand(&old, &x);
    CU_ASSERT_EQUAL(x.state, KEY_ARCHIVED);
    CU_ASSERT_EQUAL(x.recipient_count, 3);
    expansion_clear(&x);

    /* who comes in now needs both keys, and reads old mail */
    keys[0] = &old;
    keys[1] = &list;
    put_member(&erin);
    CU_ASSERT_EQUAL(add_member(&erin, keys + 1, 1, 41), 400);
    CU_ASSERT_EQUAL(add_member(&erin, keys, 2, 41), 201);
    CU_ASSERT_EQUAL(reads(&erin, &old), 1);
    CU_ASSERT_EQUAL(reads(&erin, &list), 1);

    /* removal by a new key that retires the former one: carol */
    CU_ASSERT_EQUAL(roster_remove(&roster, carol.address, NULL), 0);
    who_make_list(&next, "list@example.com", &alice, "X25519", 3);
    both[1] = &erin;
    CU_ASSERT_EQUAL(rekey(&next, 3, 50, 1, both, 2), 202);
    expand(&list, &x);
    CU_ASSERT_EQUAL(x.state, KEY_RETIRED);
    CU_ASSERT_STRING_EQUAL(x.current, next.profile.keyid);
    CU_ASSERT_EQUAL(x.recipient_count, 0);
    CU_ASSERT_EQUAL(x.grant_count, 0);
    expansion_clear(&x);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1); /* mail of before is still read */
    CU_ASSERT_EQUAL(reads(&bob, &next), 1);
    CU_ASSERT_EQUAL(reads(&erin, &old), 1);
    CU_ASSERT_EQUAL(grant_status(&carol, &next), 404);
    CU_ASSERT_EQUAL(grant_status(&carol, &list), 404);
    CU_ASSERT_EQUAL(grant_status(&carol, &old), 404);
    who_clear(&old);
    who_clear(&list);
    list = next;
}
