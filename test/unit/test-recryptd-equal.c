/* A member cannot learn another member from recryptd: who is one and who is not cost the same work and get the same
 * answer (recryptd-equal-work.c); orders are random, and padding hides how many there are. Drives the built
 * recryptd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/device.h"
#include "recryptd-equal.h"

enum { EXPANDS = 3000 };

struct world w;
struct who alice, member[MEMBERS], gone, stranger, other, nobody, list, list2;
struct who phone, others_phone, strangers_phone, parked_phone;
static struct roster roster, roster2;
static int64_t serial = 1;

static int set_group(const struct who *l, struct roster *r)
{
    struct buf text = BUF_INIT;
    int status;

    memset(r, 0, sizeof *r);
    memcpy(r->group, l->address, sizeof r->group);
    memcpy(r->keyid, l->profile.keyid, sizeof r->keyid);
    r->serial = r->epoch = 1;
    r->issued = time(NULL);
    CU_ASSERT_EQUAL(roster_sign(r, l->sign, &text, NULL), 0);
    status = world_status(&w, alice.sign, "Set",
                          J("{'Group':{'Profile':'%s','Roster':'%s'}}", buf_str(&l->text), buf_str(&text)));
    buf_free(&text);
    return status;
}

static int register_person(struct who *p, const char *address)
{
    who_make(p, address, "X25519");
    return world_status(&w, p->sign, "Set", J("{'Person':{'Profile':'%s'}}", buf_str(&p->text)));
}

static void sign_next(struct roster *r, struct buf *out)
{
    r->serial = ++serial;
    r->issued = time(NULL);
    CU_ASSERT_EQUAL_FATAL(roster_sign(r, alice.sign, out, NULL), 0);
}

static int add(const struct who *l, struct roster *r, const struct who *m)
{
    struct buf text = BUF_INIT, entry = BUF_INIT;
    char udf[JWK_UDF_SIZE];
    int status;

    CU_ASSERT_EQUAL(jwk_udf(m->key, udf), 0);
    CU_ASSERT_EQUAL(roster_add(r, m->address, udf, NULL), 0);
    sign_next(r, &text);
    CU_ASSERT_EQUAL_FATAL(entry_make(l->key, &m->profile, serial, 1, alice.sign, w.service_key, &entry, NULL), 0);
    status = world_status(&w, alice.sign, "Set",
                          J("{'Members':{'Group':'%s','Roster':'%s','Entries':['%s']}}", l->address, buf_str(&text),
                            buf_str(&entry)));
    buf_free(&text);
    buf_free(&entry);
    return status;
}

/* A device of the person; as one who asks. parked: it was let in and then parked. */
static void make_device(struct who *d, const struct who *person, const char *name, int parked)
{
    struct device is = {.issued = time(NULL)};
    struct roster r = {.serial = 1, .epoch = 1, .issued = time(NULL)};
    struct buf request = BUF_INIT, text = BUF_INIT, entry = BUF_INIT;
    struct profile p;

    who_make(d, "device@example.com", "X25519");
    memcpy(is.account, person->address, sizeof is.account);
    snprintf(is.name, sizeof is.name, "%s", name);
    CU_ASSERT_EQUAL(jwk_udf(person->sign, is.owner), 0);
    is.key = d->key;
    CU_ASSERT_EQUAL_FATAL(device_sign(&is, d->sign, &request, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(device_read(request.data, request.len, &is, NULL), 0);
    CU_ASSERT_EQUAL(world_status(&w, NULL, "Join",
                                 J("{'Account':'%s','Request':'%s'}", person->address, buf_str(&request))),
                    201);
    memcpy(r.group, person->address, sizeof r.group);
    memcpy(r.keyid, person->profile.keyid, sizeof r.keyid);
    CU_ASSERT_EQUAL(roster_add(&r, is.member, is.key_udf, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(roster_sign(&r, person->sign, &text, NULL), 0);
    p = device_profile(&is);
    CU_ASSERT_EQUAL_FATAL(entry_make(person->key, &p, 1, 1, person->sign, w.service_key, &entry, NULL), 0);
    CU_ASSERT_EQUAL(world_status(&w, person->sign, "Set",
                                 J("{'Members':{'Group':'%s','Roster':'%s','Entries':['%s']}}", person->address,
                                   buf_str(&text), buf_str(&entry))),
                    201);
    if (parked) {
        r.serial = 2;
        buf_reset(&text);
        CU_ASSERT(!roster_touch(&r, is.member, NULL) && !roster_sign(&r, person->sign, &text, NULL));
        CU_ASSERT_EQUAL(
            world_status(&w, person->sign, "Set",
                         J("{'Park':{'Group':'%s','Member':'%s','Id':'AAAAAAAAAAAAAAAAAAAAAA','Roster':'%s'}}",
                           person->address, is.member, buf_str(&text))),
            202);
    }
    roster_clear(&r);
    device_clear(&is);
    buf_free(&request);
    buf_free(&text);
    buf_free(&entry);
}

static int take_out(const struct who *m)
{
    struct buf text = BUF_INIT;
    int status;

    CU_ASSERT_EQUAL(roster_remove(&roster, m->address, NULL), 0);
    sign_next(&roster, &text);
    status = world_status(&w, alice.sign, "Delete",
                          J("{'Group':'%s','Member':'%s','Roster':'%s'}", list.address, m->address, buf_str(&text)));
    buf_free(&text);
    return status;
}

static void expand(struct frame_client *c, const struct sealed *m, struct expansion *x)
{
    struct err e = {0};

    if (rclient_expand(c, list.profile.keyid, m->to.suite, m->to.epk, m->to.epk_len, x, &e))
        printf("# Expand: %s\n", e.text);
    CU_ASSERT_EQUAL_FATAL(x->recipient_count > 0, 1);
}

/* ---- padding ---- */

/* As many grants as the next power of two, 8 at least, and no shape that would tell a dummy. */
static void check_padding(struct frame_client *c, size_t members)
{
    struct expansion x;
    struct sealed m;
    size_t want = 8;

    while (want < members)
        want *= 2;
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    expand(c, &m, &x);
    CU_ASSERT_EQUAL(x.recipient_count, members);
    CU_ASSERT_EQUAL(x.grant_count, want);
    for (size_t i = 0; i < x.grant_count; i++) {
        struct suite_peer *p = NULL;

        CU_ASSERT_EQUAL(x.grants[i].value_len, suite_value_len(m.to.suite));
        CU_ASSERT(x.grants[i].dk == NULL);
        /* a value off the curve or of small order would be no recryption value */
        CU_ASSERT_EQUAL(suite_peer_new(m.to.suite, x.grants[i].value, x.grants[i].value_len, &p, NULL), 0);
        suite_peer_free(&p);
        for (size_t k = 0; k < i; k++)
            CU_ASSERT(memcmp(x.grants[i].tag, x.grants[k].tag, GRANT_TAG_LEN) &&
                      memcmp(x.grants[i].value, x.grants[k].value, x.grants[i].value_len));
    }
    expansion_clear(&x);
    sealed_clear(&m);
}

static void test_padding(void)
{
    struct frame_client *c;
    char address[64];

    /* Not confined: valgrind, later, makes system calls that recryptd does not. */
    world_configure(&w, "inline_max = 64\nlist_max = 64\nregistration = \"open\"\nsandbox = no");
    CU_ASSERT_EQUAL_FATAL(world_start(&w), 0);
    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    CU_ASSERT_EQUAL(register_person(&alice, "alice@example.com"), 201);
    CU_ASSERT_EQUAL(register_person(&gone, "person-gone@example.com"), 201);
    CU_ASSERT_EQUAL(register_person(&stranger, "person-away@example.com"), 201);
    CU_ASSERT_EQUAL(register_person(&other, "person-else@example.com"), 201);
    who_make(&nobody, "person-none@example.com", "X25519");
    who_make_list(&list, "list1@example.com", &alice, "X25519", 1);
    who_make_list(&list2, "list2@example.com", &alice, "X25519", 1);
    CU_ASSERT_EQUAL(set_group(&list, &roster), 201);
    CU_ASSERT_EQUAL(set_group(&list2, &roster2), 201);
    CU_ASSERT_EQUAL(add(&list2, &roster2, &other), 201);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(address, sizeof address, "person-%04d@example.com", i);
        CU_ASSERT_EQUAL(register_person(&member[i], address), 201);
        CU_ASSERT_EQUAL(add(&list, &roster, &member[i]), 201);
        check_padding(c, (size_t)i + 1);
    }
    CU_ASSERT_EQUAL(add(&list, &roster, &gone), 201);
    CU_ASSERT_EQUAL(take_out(&gone), 201);
    CU_ASSERT_EQUAL(take_out(&member[MEMBERS - 1]), 201);
    check_padding(c, INLINE_MEMBERS);
    frame_client_free(&c);
    make_device(&phone, &member[0], "phone", 0);
    make_device(&others_phone, &other, "phone", 0);
    make_device(&strangers_phone, &stranger, "phone", 0);
    make_device(&parked_phone, &member[1], "phone", 1);
}

/* ---- order ---- */

static double chi_square(const unsigned *seen, size_t cells, double expected)
{
    double sum = 0;

    for (size_t i = 0; i < cells; i++)
        sum += (seen[i] - expected) * (seen[i] - expected) / expected;
    return sum;
}

/* The places of each member and of her grant over many Expands. Each is uniform, and one tells nothing about the other,
 * nor about who comes next. Bounds: what a fair order passes with a probability of about 1e-9 (chi-square of 7, 6 and
 * 63 degrees of freedom); an order that is as it is stored, or only rotated, is past them a thousandfold. */
static void test_order(void)
{
    unsigned place[INLINE_MEMBERS][INLINE_MEMBERS] = {{0}}, grant_place[INLINE_MEMBERS] = {0};
    unsigned both[INLINE_MEMBERS * INLINE_MEMBERS] = {0}, next[INLINE_MEMBERS] = {0}, followed = 0;
    struct frame_client *c;
    struct sealed m;
    struct grant first;
    double worst = 0;

    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    CU_ASSERT_EQUAL_FATAL(rclient_grant(c, member[0].address, list.profile.keyid, m.to.suite, m.to.epk, m.to.epk_len,
                                        &first, NULL),
                          0);
    for (int n = 0; n < EXPANDS; n++) {
        struct expansion x;
        size_t who[INLINE_MEMBERS], at = 0, grant_at = 0;

        expand(c, &m, &x);
        CU_ASSERT_FATAL(x.recipient_count == INLINE_MEMBERS && x.grant_count == INLINE_MEMBERS);
        for (size_t i = 0; i < INLINE_MEMBERS; i++) {
            who[i] = (size_t)atoi(x.recipients[i] + strlen("person-"));
            CU_ASSERT_FATAL(who[i] < INLINE_MEMBERS);
            place[who[i]][i]++;
            at = who[i] ? at : i;
            grant_at = memcmp(x.grants[i].tag, first.tag, GRANT_TAG_LEN) ? grant_at : i;
        }
        CU_ASSERT(memcmp(x.grants[grant_at].tag, first.tag, GRANT_TAG_LEN) == 0);
        grant_place[grant_at]++;
        both[at * INLINE_MEMBERS + grant_at]++;
        if (at + 1 < INLINE_MEMBERS) {
            next[who[at + 1]]++;
            followed++;
        }
        expansion_clear(&x);
    }
    for (size_t i = 0; i < INLINE_MEMBERS; i++) {
        double d = chi_square(place[i], INLINE_MEMBERS, (double)EXPANDS / INLINE_MEMBERS);

        worst = d > worst ? d : worst;
    }
    printf("# chi-square: places %.1f at most, her grant %.1f, who follows %.1f, both together %.1f\n", worst,
           chi_square(grant_place, INLINE_MEMBERS, (double)EXPANDS / INLINE_MEMBERS),
           chi_square(next + 1, INLINE_MEMBERS - 1, (double)followed / (INLINE_MEMBERS - 1)),
           chi_square(both, sizeof both / sizeof *both, (double)EXPANDS / (sizeof both / sizeof *both)));
    CU_ASSERT(worst < 60);
    CU_ASSERT(chi_square(grant_place, INLINE_MEMBERS, (double)EXPANDS / INLINE_MEMBERS) < 60);
    CU_ASSERT(chi_square(next + 1, INLINE_MEMBERS - 1, (double)followed / (INLINE_MEMBERS - 1)) < 57);
    CU_ASSERT(chi_square(both, sizeof both / sizeof *both, (double)EXPANDS / (sizeof both / sizeof *both)) < 145);
    grant_clear(&first);
    sealed_clear(&m);
    frame_client_free(&c);
}

/* The copies of a fan-out are sent in the order in which they are told: the places of each member over many messages.
 * Bound as above. */
static void test_fanout_order(void)
{
    enum { JOBS = 400 };
    unsigned place[INLINE_MEMBERS][INLINE_MEMBERS] = {{0}};
    struct frame_client *c;
    struct sealed m;

    CU_ASSERT_EQUAL_FATAL(frame_client_new(w.socket, 5000, &c, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(seal(&list, "x", &m), 0);
    for (unsigned n = 0; n < JOBS; n++) {
        struct fanout_result res;
        struct fanout_page p;
        char job[33];

        snprintf(job, sizeof job, "%032x", n);
        CU_ASSERT_EQUAL_FATAL(rclient_fanout_begin(c, list.address, list.profile.keyid, job, &res, NULL), 0);
        CU_ASSERT_EQUAL(res.total, INLINE_MEMBERS);
        fanout_result_clear(&res);
        CU_ASSERT_EQUAL_FATAL(rclient_fanout_next(c, job, m.to.suite, m.to.epk, m.to.epk_len, 0, &p, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(p.count, INLINE_MEMBERS);
        for (size_t i = 0; i < INLINE_MEMBERS; i++) {
            size_t who = (size_t)atoi(p.list[i].account + strlen("person-"));

            CU_ASSERT_FATAL(who < INLINE_MEMBERS);
            place[who][i]++;
        }
        fanout_page_clear(&p);
    }
    for (size_t i = 0; i < INLINE_MEMBERS; i++)
        CU_ASSERT(chi_square(place[i], INLINE_MEMBERS, (double)JOBS / INLINE_MEMBERS) < 60);
    sealed_clear(&m);
    frame_client_free(&c);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"padding is the same for all sizes up to a power of two", test_padding},
        {"recipients and grants come in random order", test_order},
        {"a fan-out's copies come in random order", test_fanout_order},
        {"member, removed, stranger, unknown: the same work and the same answer", test_work},
    };
    struct who *all[] = {&alice, &gone,         &stranger,        &other,       &nobody, &list,
                         &list2, &phone, &others_phone, &strangers_phone, &parked_phone};
    int status;

    if (world_make(&w))
        return 1;
    status = unit_main("recryptd-equal", tests, sizeof tests / sizeof *tests);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        who_clear(all[i]);
    for (size_t i = 0; i < MEMBERS; i++)
        who_clear(&member[i]);
    roster_clear(&roster);
    roster_clear(&roster2);
    if (status && getenv("KEEP"))
        printf("# kept: %s\n", w.dir);
    else
        world_remove(&w);
    return status;
}
