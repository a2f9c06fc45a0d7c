/* Parking and unparking, and a restored store (recryptd-device.h). */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/b64.h"
#include "common/conf.h"
#include "grants-call.h"
#include "recryptd-device.h"

#define ID_A "AAAAAAAAAAAAAAAAAAAAAA"
#define ID_B "BBBBBBBBBBBBBBBBBBBBBA"

/* Set Park with the roster as it is; touched: the roster says that the device changes. */
static int park_by(const struct who *by, const char *group, const char *member, const char *id, int64_t serial,
                   int touched)
{
    struct roster_member before = {0};
    const struct roster_member *m = roster_find(&devices, member);
    struct buf text = BUF_INIT;
    int status;

    if (m)
        before = *m;
    devices.serial = serial;
    if (touched)
        CU_ASSERT_EQUAL(roster_touch(&devices, member, NULL), 0);
    sign_devices(by, serial, &text);
    status = world_status(
        &w, by->sign, "Set",
        J("{'Park':{'Group':'%s','Member':'%s','Id':'%s','Roster':'%s'}}", group, member, id, buf_str(&text)));
    if (m && status != 202)
        devices.members[m - devices.members] = before;
    buf_free(&text);
    return status;
}

static int park(const struct gadget *g, const char *id, int64_t serial)
{
    return park_by(&bob, "bob@example.com", g->is.member, id, serial, 1);
}

/* What the owner hands out with a parking of that serial: entries for the n last of bob's keys. */
static void recovery_of(const struct gadget *g, const char *member, const char *id, int64_t serial, size_t n,
                        const struct jwk *signer, struct buf *out)
{
    const struct who *const *keys;
    struct recovery r = {.issued = time(NULL)};
    struct profile p = device_profile(&g->is);
    struct buf text = BUF_INIT, raw = BUF_INIT;
    char *entries[8];
    size_t all = bobs_keys(&keys);

    snprintf(r.account, sizeof r.account, "bob@example.com");
    snprintf(r.member, sizeof r.member, "%s", member);
    CU_ASSERT_EQUAL_FATAL(b64url_decode(id, strlen(id), &raw), 0);
    memcpy(r.id, raw.data, sizeof r.id);
    for (size_t i = all - n; i < all; i++) {
        buf_reset(&text);
        CU_ASSERT_EQUAL_FATAL(
            entry_make(keys[i]->key, &p, serial, (int64_t)i + 1, bob.sign, w.service_key, &text, NULL), 0);
        entries[r.count++] = strdup(buf_str(&text));
    }
    r.entries = entries;
    buf_reset(out);
    CU_ASSERT_EQUAL(recovery_sign(&r, signer, out, NULL), 0);
    for (size_t i = 0; i < r.count; i++)
        free(entries[i]);
    buf_free(&text);
    buf_free(&raw);
}

static int recover_by(const struct jwk *signer, const char *account, const struct buf *recovery)
{
    return world_status(&w, signer, "Join", J("{'Account':'%s','Recovery':'%s'}", account, buf_str(recovery)));
}

static int recover(const struct buf *recovery)
{
    return recover_by(NULL, "bob@example.com", recovery);
}

/* All that is wrong with a recovery gets one answer. */
static void check_refused(int64_t serial)
{
    struct gadget other;
    struct buf r = BUF_INIT;
    size_t n = bobs_keys(NULL);
    struct answer a;

    recovery_of(&tablet, tablet.is.member, ID_A, serial, n, carol.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 404);
    recovery_of(&tablet, tablet.is.member, ID_B, serial, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 404);
    recovery_of(&tablet, tablet.is.member, ID_A, serial, n - 1, bob.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 404);
    recovery_of(&tablet, tablet.is.member, ID_A, serial - 1, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 404);
    recovery_of(&tablet, phone.is.member, ID_A, serial, n, bob.sign, &r); /* is not parked */
    CU_ASSERT_EQUAL(recover(&r), 404);
    gadget_make(&other, &bob, "tablet", "P-256");
    recovery_of(&other, tablet.is.member, ID_A, serial, n, bob.sign, &r); /* another key */
    CU_ASSERT_EQUAL(recover(&r), 404);
    gadget_clear(&other);
    recovery_of(&tablet, tablet.is.member, ID_A, serial, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover_by(NULL, "carol@example.com", &r), 404);
    CU_ASSERT_EQUAL(recover_by(NULL, "nobody@example.com", &r), 404);
    CU_ASSERT_EQUAL(recover_by(NULL, "list@example.com", &r), 404);
    CU_ASSERT_EQUAL(world_call(&w, NULL, "Join", J("{'Account':'bob@example.com','Recovery':'x'}"), NULL, &a), 0);
    CU_ASSERT(a.status == 404 && !strcmp(a.text, "no such parked device"));
    answer_clear(&a);
    buf_free(&r);
}

/* Does any file of the store have that text in it? */
static int stored(const char *text)
{
    char dir[256], path[1024];
    int found = 0;
    glob_t files;

    world_path(&w, "state/keystore", dir);
    snprintf(path, sizeof path, "%s/*/*", dir);
    CU_ASSERT_EQUAL_FATAL(glob(path, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc && !found; i++) {
        struct buf b = BUF_INIT;

        if (!file_read(files.gl_pathv[i], 64 << 20, &b, NULL))
            found = memmem(b.data, b.len, text, strlen(text)) != NULL;
        buf_free(&b);
    }
    globfree(&files);
    return found;
}

/* A piece of the device's entry as the store has it; then its end: parked, the entry is in no file within seconds. */
static void check_wiped(const struct gadget *g, int64_t serial)
{
    struct json_object *grant;
    char piece[201] = "";
    const char *dk;
    struct sealed m;
    struct answer a;

    CU_ASSERT_EQUAL_FATAL(seal(&bob, "x", &m), 0);
    ask(g->sign, g->is.key_udf, bob.profile.keyid, &m, &a);
    CU_ASSERT_FATAL(!sjson_object(a.body, "Grant", &grant, NULL) && !sjson_string(grant, "dk", &dk, NULL));
    memcpy(piece, dk + strlen(dk) / 2, sizeof piece - 1);
    answer_clear(&a);
    sealed_clear(&m);
    CU_ASSERT(stored(piece));
    CU_ASSERT_EQUAL(park(g, ID_A, serial), 202);
    /* While the store's files are exchanged, a look at them may miss the one that has it: gone is what stays gone. */
    for (int i = 0, gone = 0; i < 600 && gone < 10; i++) {
        gone = stored(piece) ? 0 : gone + 1;
        usleep(50000);
    }
    CU_ASSERT(!stored(piece));
}

void test_parking(void)
{
    const struct who *const *keys;
    size_t n = bobs_keys(&keys);
    struct buf r = BUF_INIT;
    struct sealed m;
    struct answer a;

    /* the phone is back, so that somebody else is there */
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&phone.request)), 201);
    CU_ASSERT_EQUAL(put_device(&phone), 0);
    CU_ASSERT_EQUAL(let_in(&phone, keys, n, 12), 201);
    CU_ASSERT_EQUAL(park_by(&carol, "bob@example.com", tablet.is.member, ID_A, 13, 1), 401);
    CU_ASSERT_EQUAL(park_by(&bob, "bob@example.com", tablet.is.member, ID_A, 13, 0), 400); /* since */
    CU_ASSERT_EQUAL(park(&tablet, "AAAA", 13), 400);
    CU_ASSERT_EQUAL(park(&tablet, ID_A, 12), 409);
    CU_ASSERT_EQUAL(park_by(&bob, "bob@example.com", "bob+none@example.com", ID_A, 13, 0), 404);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    check_wiped(&tablet, 13);
    CU_ASSERT_EQUAL(shown(tablet.is.member, "parked") + shown(phone.is.member, "active"), 2);
    /* as one that was removed */
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(grant_status(&tablet, keys[i]), 404);
    CU_ASSERT_EQUAL(grant_status(&tablet, &list), 404);
    CU_ASSERT_EQUAL_FATAL(seal(&bob, "x", &m), 0);
    ask(tablet.sign, tablet.is.key_udf, bob.profile.keyid, &m, &a);
    CU_ASSERT_STRING_EQUAL(a.text, "no grant");
    answer_clear(&a);
    sealed_clear(&m);
    CU_ASSERT_EQUAL(reads_own(&phone, &bob), 1);
    /* not by the back door */
    CU_ASSERT_EQUAL(let_in(&tablet, keys, n, 14), 409);
    CU_ASSERT_EQUAL(rekey(&bob, 3, 14, (const struct gadget *const[]){&phone, &tablet}, 2), 409);
    CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&tablet.request)), 409);
    CU_ASSERT_EQUAL(pending(&bob), 0);
    check_refused(13);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 404);
    recovery_of(&tablet, tablet.is.member, ID_A, 13, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 201);
    CU_ASSERT_EQUAL(shown(tablet.is.member, "active"), 1);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(reads_own(&tablet, keys[i]), 1);
    CU_ASSERT_EQUAL(reads_chain(&tablet, keys[0], &list), 1);
    CU_ASSERT_EQUAL(recover(&r), 404); /* once */
    /* others may come and go while one is parked; the parked device signs what it brings itself */
    CU_ASSERT_EQUAL(park(&tablet, ID_A, 15), 202);
    CU_ASSERT_EQUAL(park(&tablet, ID_B, 16), 202); /* a new one, the former is void */
    CU_ASSERT_EQUAL(drop_device(&phone), 0);
    CU_ASSERT_EQUAL(take_out(&phone, 17, 3), 201);
    recovery_of(&tablet, tablet.is.member, ID_A, 15, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover(&r), 404);
    recovery_of(&tablet, tablet.is.member, ID_B, 16, n, bob.sign, &r);
    CU_ASSERT_EQUAL(recover_by(tablet.sign, "bob@example.com", &r), 201);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    /* a parked device is removed: nothing brings it back */
    CU_ASSERT_EQUAL(park(&tablet, ID_A, 18), 202);
    recovery_of(&tablet, tablet.is.member, ID_A, 18, n, bob.sign, &r);
    CU_ASSERT_EQUAL(drop_device(&tablet), 0);
    CU_ASSERT_EQUAL(take_out(&tablet, 19, 3), 201);
    CU_ASSERT_EQUAL(recover(&r), 404);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 404);
    buf_free(&r);
}

/* ---- a restored store ---- */

/* Set Roster; the names that are missing, joined. */
static int confirm(int64_t serial, char *missing, size_t size)
{
    struct json_object *names;
    struct buf text = BUF_INIT;
    struct answer a;
    int status;

    *missing = '\0';
    sign_devices(&bob, serial, &text);
    CU_ASSERT_EQUAL(world_call(&w, bob.sign, "Set",
                               J("{'Roster':{'Group':'bob@example.com','Roster':'%s'}}", buf_str(&text)), NULL, &a),
                    0);
    status = (int)a.status;
    if (status == 202 && !sjson_array(a.body, "Missing", &names, NULL))
        for (size_t i = 0; i < json_object_array_length(names); i++)
            snprintf(missing + strlen(missing), size - strlen(missing), "%s ",
                     json_object_get_string(json_object_array_get_idx(names, i)));
    answer_clear(&a);
    buf_free(&text);
    return status;
}

/* A backup of before one device was removed and another parked: neither comes back by it. */
void test_restore(void)
{
    const struct who *const *keys;
    size_t n = bobs_keys(&keys);
    struct device_grants out;
    struct frame_client *c;
    struct buf r = BUF_INIT, check = BUF_INIT;
    struct sealed m;
    char missing[512];
    FILE *f;

    for (int i = 0; i < 2; i++) {
        struct gadget *g = i ? &tablet : &phone;

        CU_ASSERT_EQUAL(join("bob@example.com", buf_str(&g->request)), 201);
        CU_ASSERT_EQUAL(put_device(g), 0);
        CU_ASSERT_EQUAL(let_in(g, keys, n, 20 + i), 201);
        CU_ASSERT_EQUAL(reads_own(g, &bob), 1);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = world_dump(&w));
    CU_ASSERT_EQUAL(drop_device(&phone), 0);
    CU_ASSERT_EQUAL(take_out(&phone, 22, 3), 201);
    CU_ASSERT_EQUAL(park(&tablet, ID_A, 23), 202);
    recovery_of(&tablet, tablet.is.member, ID_A, 23, n, bob.sign, &r);
    CU_ASSERT_EQUAL_FATAL(world_load(&w, f), 0);

    /* until the owner has spoken, nobody gets anything */
    CU_ASSERT_EQUAL(gets("bob@example.com", "Devices"), 1);
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 503);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 503);
    CU_ASSERT_EQUAL(grant_status(&phone, &list), 503);
    CU_ASSERT_EQUAL_FATAL(seal(&bob, "x", &m), 0);
    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    CU_ASSERT_EQUAL(grants_call(c, "bob@example.com", phone.is.key_udf,
                                &(struct grants_item){bob.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len}, 1, &out,
                                NULL),
                    ERR_RETRY);
    frame_client_free(&c);
    sealed_clear(&m);
    CU_ASSERT_EQUAL(let_in(&tablet, keys, n, 24), 503);
    CU_ASSERT_EQUAL(park(&tablet, ID_B, 24), 503);
    CU_ASSERT_EQUAL(recover(&r), 404); /* it is not parked here */

    CU_ASSERT_EQUAL(confirm(23, missing, sizeof missing), 202);
    CU_ASSERT_STRING_EQUAL(missing, "bob+tablet@example.com ");
    CU_ASSERT_EQUAL(grant_status(&phone, &bob), 404);
    CU_ASSERT_EQUAL(grant_status(&tablet, &bob), 404);
    CU_ASSERT_EQUAL(recover(&r), 404);
    /* what is missing comes in without asking anew */
    CU_ASSERT_EQUAL(let_in(&tablet, keys, n, 24), 201);
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    CU_ASSERT_EQUAL(grant_status(&tablet, &list), 503); /* the list's owner has not spoken */
    CU_ASSERT_EQUAL(confirm(24, missing, sizeof missing), 202);
    CU_ASSERT_STRING_EQUAL(missing, "");
    CU_ASSERT_EQUAL(reads_own(&tablet, &bob), 1);
    CU_ASSERT_EQUAL(world_stop(&w), 0);
    CU_ASSERT_EQUAL(world_run(&w, &check, "--check", NULL), 0);
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    buf_free(&check);
    buf_free(&r);
}
