/* A key store that was put back from a dump (recryptd-tests.h). */
#include <stdio.h>
#include <string.h>

#include "recryptd-tests.h"

#define SECOND "second@example.com"

static struct buf text, stale; /* signed rosters: the newest, and that of the time of the dump */

/* A list of its own: bob and dave. */
static void found_second(void)
{
    who_clear(&list2);
    who_make_list(&list2, SECOND, &alice, "X25519", 1);
    first_roster(&list2, &roster);
    CU_ASSERT_EQUAL(set_group(&list2, alice.sign, &roster, ""), 201);
    for (int i = 0; i < 2; i++) {
        const struct who *p = i ? &dave : &bob;
        struct json_object *entries = json_object_new_array();

        put_member(p);
        sign_roster(&roster, 2 + i, &text);
        json_object_array_add(entries, entry_for(&list2, p, 2 + i, 1));
        CU_ASSERT_EQUAL(world_status(&w, alice.sign, "Set",
                                     with_entries(J("{'Members':{'Group':'" SECOND "','Roster':'%s'}}", buf_str(&text)),
                                                  "Members", entries)),
                        201);
    }
    CU_ASSERT_EQUAL(buf_puts(&stale, buf_str(&text)), 0);
    CU_ASSERT_EQUAL(reads(&dave, &list2), 1);
}

static int delete_dave(void)
{
    return world_status(&w, alice.sign, "Delete",
                        J("{'Group':'" SECOND "','Member':'dave@example.com','Roster':'%s'}", buf_str(&text)));
}

static int confirm(const struct who *signer, const char *group, const struct buf *signed_roster)
{
    return world_status(&w, signer->sign, "Set",
                        J("{'Roster':{'Group':'%s','Roster':'%s'}}", group, buf_str(signed_roster)));
}

/* Nobody is served, and nothing changed. */
static void in_quarantine(struct frame_client *c, const struct sealed *m)
{
    struct expansion x;
    struct answer a;
    int yes;

    CU_ASSERT_EQUAL(grant_status(&bob, &list2), 503);
    CU_ASSERT_EQUAL(grant_status(&dave, &list2), 503);
    CU_ASSERT_EQUAL(rclient_expand(c, list2.profile.keyid, m->to.suite, m->to.epk, m->to.epk_len, &x, NULL), ERR_RETRY);
    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Get", J("{'Group':'" SECOND "'}"), NULL, &a), 0);
    CU_ASSERT(!sjson_bool(a.body, "Quarantine", &yes, NULL) && yes);
    answer_clear(&a);
    CU_ASSERT_EQUAL(delete_dave(), 503);
    CU_ASSERT_EQUAL(confirm(&bob, SECOND, &text), 401);
}

static void confirmed(struct frame_client *c, const struct sealed *m)
{
    struct json_object *missing;
    struct expansion x;
    struct answer a;

    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Set",
                               J("{'Roster':{'Group':'" SECOND "','Roster':'%s'}}", buf_str(&text)), NULL, &a),
                    0);
    CU_ASSERT_EQUAL(a.status, 202);
    CU_ASSERT(!sjson_array(a.body, "Missing", &missing, NULL) && json_object_array_length(missing) == 0);
    answer_clear(&a);
    CU_ASSERT_EQUAL(reads(&bob, &list2), 1);
    CU_ASSERT_EQUAL(grant_status(&dave, &list2), 404);
    CU_ASSERT_EQUAL(rclient_expand(c, list2.profile.keyid, m->to.suite, m->to.epk, m->to.epk_len, &x, NULL), 0);
    CU_ASSERT_EQUAL(recipient(&x, "dave@example.com"), 0);
    expansion_clear(&x);
    /* the roster of the time of the backup is no longer good for anything */
    CU_ASSERT_EQUAL(confirm(&alice, SECOND, &stale), 409);
}

/* A dump of the time before a removal is loaded: nobody is served until the owner confirmed, and who was removed stays
 * so. */
void test_restore(void)
{
    struct frame_client *c = NULL;
    struct roster before;
    struct sealed m;
    FILE *f;

    memcpy(&before, &roster, sizeof before);
    found_second();
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = world_dump(&w));

    /* dave goes, after the backup */
    CU_ASSERT_EQUAL(roster_remove(&roster, dave.address, NULL), 0);
    sign_roster(&roster, 4, &text);
    CU_ASSERT_EQUAL(delete_dave(), 201);
    CU_ASSERT_EQUAL(grant_status(&dave, &list2), 404);

    CU_ASSERT_EQUAL_FATAL(world_load(&w, f), 0);
    CU_ASSERT_EQUAL_FATAL(seal(&list2, "x", &m), 0);
    c = client();
    in_quarantine(c, &m);
    confirmed(c, &m);
    /* the other list still waits for its owner */
    CU_ASSERT_EQUAL(grant_status(&bob, &list), 503);
    roster_clear(&roster);
    memcpy(&roster, &before, sizeof roster);
    sign_roster(&roster, 60, &text);
    CU_ASSERT_EQUAL(confirm(&alice, "list@example.com", &text), 202);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    sealed_clear(&m);
    frame_client_free(&c);
    buf_free(&text);
    buf_free(&stale);
}

/* Somebody added after the backup: missing, and added again. */
void test_missing(void)
{
    struct json_object *missing;
    struct answer a;

    put_member(&dave);
    sign_roster(&roster, 61, &text);
    CU_ASSERT_EQUAL(world_call(&w, alice.sign, "Set",
                               J("{'Roster':{'Group':'list@example.com','Roster':'%s'}}", buf_str(&text)), NULL, &a),
                    0);
    CU_ASSERT_EQUAL(a.status, 202);
    CU_ASSERT_FATAL(!sjson_array(a.body, "Missing", &missing, NULL) && json_object_array_length(missing) == 1);
    CU_ASSERT_STRING_EQUAL(json_object_get_string(json_object_array_get_idx(missing, 0)), "dave@example.com");
    answer_clear(&a);
    CU_ASSERT_EQUAL(grant_status(&dave, &list), 404);
    CU_ASSERT_EQUAL(reads(&bob, &list), 1);
    CU_ASSERT_EQUAL(roster_remove(&roster, dave.address, NULL), 0);
    CU_ASSERT_EQUAL(delete_member("dave@example.com", 62), 201); /* off the roster again */
    buf_free(&text);
}
