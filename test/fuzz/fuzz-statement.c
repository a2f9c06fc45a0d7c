/* Payloads of profiles, rosters, devices' requests and recoveries, under a good signature.
 * identity: what is read is written and read again to the same. */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/device.h"
#include "common/jws.h"
#include "common/sjson.h"
#include "common/statement.h"

/* Made once for this target; the seeds name its public half as signer. */
static const char signer_text[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"EOwaVvZLjmABshatQvZzWg9Xn5p4_-"
                                  "BXjb6rLbhIL_o\",\"x\":\"16asUkM5ox6UwKPZA4r0VfQktEKnaN9th8azo_XFf38\"}";

static struct jwk *signer;

static void roster(const struct buf *text)
{
    struct roster first, second;
    struct buf again = BUF_INIT;

    if (roster_read(text->data, text->len, signer, &first, NULL) < 0)
        return;
    if (roster_sign(&first, signer, &again, NULL) < 0 ||
        roster_read(again.data, again.len, signer, &second, NULL) < 0 || first.count != second.count ||
        first.serial != second.serial || strcmp(first.keyid, second.keyid) != 0 ||
        (first.count && memcmp(first.members, second.members, first.count * sizeof *first.members) != 0))
        abort();
    for (size_t i = 0; i < first.count; i++)
        if (roster_find(&first, first.members[i].account) != &first.members[i])
            abort();
    roster_clear(&first);
    roster_clear(&second);
    buf_free(&again);
}

static void profile(const struct buf *text)
{
    struct profile first, second;
    struct buf again = BUF_INIT;

    if (profile_read(text->data, text->len, &first, NULL) < 0)
        return;
    if (profile_sign(&first, signer, &again, NULL) < 0 || profile_read(again.data, again.len, &second, NULL) < 0 ||
        strcmp(first.keyid, second.keyid) != 0 || !jwk_equal(first.key, second.key) || first.kind != second.kind)
        abort();
    profile_clear(&first);
    profile_clear(&second);
    buf_free(&again);
}

static void device(const struct buf *text)
{
    struct device first, second;
    struct buf again = BUF_INIT;

    if (device_read(text->data, text->len, &first, NULL) < 0)
        return;
    if (device_sign(&first, signer, &again, NULL) < 0 || device_read(again.data, again.len, &second, NULL) < 0 ||
        strcmp(first.member, second.member) != 0 || !jwk_equal(first.key, second.key) ||
        strcmp(first.owner, second.owner) != 0)
        abort();
    device_clear(&first);
    device_clear(&second);
    buf_free(&again);
}

static void recovery(const struct buf *text)
{
    struct recovery first, second;
    struct buf again = BUF_INIT;

    if (recovery_read(text->data, text->len, signer, &first, NULL) < 0)
        return;
    if (recovery_sign(&first, signer, &again, NULL) < 0 ||
        recovery_read(again.data, again.len, signer, &second, NULL) < 0 || first.count != second.count ||
        strcmp(first.member, second.member) != 0 || memcmp(first.id, second.id, sizeof first.id) != 0)
        abort();
    for (size_t i = 0; i < first.count; i++)
        if (strcmp(first.entries[i], second.entries[i]) != 0)
            abort();
    recovery_clear(&first);
    recovery_clear(&second);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *typ;
        void (*check)(const struct buf *text);
    } kinds[] = {{"recrypt-profile", profile},
                 {"recrypt-roster", roster},
                 {"recrypt-device", device},
                 {"recrypt-recovery", recovery}};
    struct json_object *header;

    if (!signer && jwk_parse(signer_text, strlen(signer_text), &signer, NULL) < 0)
        abort();
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++) {
        struct buf text = BUF_INIT;

        header = json_object_new_object();
        if (sjson_set_string(header, "typ", kinds[i].typ) < 0 ||
            jws_sign(signer, header, data, size, 0, &text, NULL) < 0)
            abort();
        kinds[i].check(&text);
        json_object_put(header);
        buf_free(&text);
    }
    return 0;
}
