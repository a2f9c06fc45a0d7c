/* device park, unpark: a device is taken out and its way back is left with somebody else. */
#include <ctype.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/b64.h"
#include "common/conf.h"
#include "common/protect.h"
#include "common/sjson.h"
#include "devices.h"
#include "known.h"
#include "list.h"
#include "stream.h"

#define BOUNDARY "recovery-of-a-device"

enum { UNSIGNED_MAX = 60 << 10 };

/* The recovery with an entry for each key, under the serial that the roster has now; to the device's key. */
static int make_recovery(struct tool *t, const struct list *l, const struct device *d, struct recovery *rec,
                         struct buf *out, struct err *e)
{
    struct json_object *entries = json_object_new_array();
    struct profile p = device_profile(d);
    struct buf text = BUF_INIT;
    size_t n;
    int r;

    snprintf(rec->account, sizeof rec->account, "%s", d->account);
    snprintf(rec->member, sizeof rec->member, "%s", d->member);
    rec->issued = (int64_t)time(NULL);
    if (!entries || RAND_bytes(rec->id, sizeof rec->id) != 1) {
        r = err_set(e, ERR_SYSTEM, "no memory or no random numbers");
        goto out;
    }
    if ((r = list_entries(t, l, &p, 1, entries, e)) < 0)
        goto out;
    n = json_object_array_length(entries);
    if (!(rec->entries = calloc(n, sizeof *rec->entries))) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    for (; rec->count < n; rec->count++)
        if (!(rec->entries[rec->count] =
                  strdup(json_object_get_string(json_object_array_get_idx(entries, rec->count))))) {
            r = err_errno(e, "out of memory");
            goto out;
        }
    if ((r = recovery_sign(rec, l->owner.sign, &text, e)) == 0)
        r = recovery_seal(d->key, text.data, text.len, out, e);
out:
    json_object_put(entries);
    buf_free(&text);
    return r;
}

/* The message to the third party, in the clear. */
static int write_message(const struct device *d, const char *to, const struct recovery *rec, const struct buf *recovery,
                         struct buf *out, struct err *e)
{
    struct buf id = BUF_INIT;
    char date[64];
    struct tm tm;
    time_t now = (time_t)rec->issued;
    int bad;

    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    bad = b64url_encode(rec->id, sizeof rec->id, &id) < 0 ||
          buf_printf(out,
                     "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
                     "Subject: Please keep this: the way back for %s\r\n"
                     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"" BOUNDARY "\"\r\n\r\n",
                     d->account, to, date, buf_str(&id), address_domain(d->account), d->name) < 0 ||
          buf_printf(out,
                     "--" BOUNDARY "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
                     "My device \"%s\" (%s) is parked: for now it reads nothing.\r\n"
                     "The attached file lets it read again, and nobody else can use it. Please keep it,\r\n"
                     "and give it to me when I ask you for it in person. Then, on that device:\r\n\r\n"
                     "    recrypt device unpark recovery-%s.jwe\r\n\r\n",
                     d->name, d->code, d->name) < 0 ||
          buf_printf(out,
                     "--" BOUNDARY "\r\nContent-Type: application/jose\r\nContent-Transfer-Encoding: base64\r\n"
                     "Content-Disposition: attachment; filename=\"recovery-%s.jwe\"\r\n\r\n",
                     d->name) < 0 ||
          b64mime_encode(recovery->data, recovery->len, "\r\n", out) < 0 ||
          buf_puts(out, "\r\n--" BOUNDARY "--\r\n") < 0;
    buf_free(&id);
    return bad ? err_errno(e, "out of memory") : 0;
}

static int seal_message(struct list *l, const struct profile *to, const struct device *d, const struct recovery *rec,
                        const struct buf *recovery, struct buf *sealed, struct err *e)
{
    const struct jwk *keys[1] = {to->key};
    struct buf msg = BUF_INIT;
    int r;

    if ((r = write_message(d, to->account, rec, recovery, &msg, e)) == 0)
        r = protect_seal((struct span){msg.data, msg.len}, keys, 1, l->owner.sign, l->address, NULL, sealed, e);
    buf_free(&msg);
    return r;
}

static int set_park(struct tool *t, struct list *l, const struct recovery *rec, struct err *e)
{
    struct json_object *inner = json_object_new_object();
    int r;

    if (sjson_set_string(inner, "Member", rec->member) < 0 || sjson_set_b64(inner, "Id", rec->id, sizeof rec->id) < 0)
        r = err_errno(e, "out of memory");
    else
        r = list_set(t, l, "Park", inner, NULL, e);
    json_object_put(inner);
    return r;
}

/* Where the sealed message lies between the request and the user's own file: an answer or a write may be lost. */
static int waiting_path(struct tool *t, const struct device *d, char path[PATH_MAX], struct err *e)
{
    char name[DEVICE_NAME_SIZE + 8];

    snprintf(name, sizeof name, "park-%s", d->name);
    return home_path(t->home, 1, path, e, "persons", ".eml", d->account, name, NULL);
}

static int park_now(struct tool *t, struct list *l, const struct device *d, const struct profile *to, const char *path,
                    struct err *e)
{
    struct buf recovery = BUF_INIT, sealed = BUF_INIT;
    struct recovery rec;
    int r;

    memset(&rec, 0, sizeof rec);
    list_next_serial(l);
    if ((r = roster_touch(&l->roster, d->member, e)) < 0 || (r = make_recovery(t, l, d, &rec, &recovery, e)) < 0 ||
        (r = seal_message(l, to, d, &rec, &recovery, &sealed, e)) < 0 ||
        (r = file_write(path, sealed.data, sealed.len, 0600, e)) < 0)
        goto out;
    if ((r = set_park(t, l, &rec, e)) < 0 && !err_temporary(r))
        unlink(path);
out:
    recovery_clear(&rec);
    buf_free(&recovery);
    buf_free(&sealed);
    return r;
}

/* The message goes out, and with it the last trace of it here. */
static int hand_over(struct tool *t, const char *path, struct err *e)
{
    struct buf sealed = BUF_INIT;
    int r = file_read(path, HOME_FILE_MAX, &sealed, e);

    if (r == 0 && (r = stream_write(t->args->value[OPT_OUT], args_given(t->args, OPT_FORCE), &sealed, e)) == 0)
        unlink(path);
    buf_free(&sealed);
    return r;
}

/* Is the message that waits for this very third party? */
static int waits_for(const char *path, const char *to, struct err *e)
{
    struct buf text = BUF_INIT, value = BUF_INIT;
    struct span header, body;
    struct mime_field field;
    char account[ADDRESS_SIZE];
    int r;

    if ((r = file_read(path, HOME_FILE_MAX, &text, e)) < 0)
        goto out;
    mime_split((struct span){text.data, text.len}, &header, &body);
    if (mime_field_find(header, "To", &field, e) != 1 || mime_mailbox(field.value, &value, e) < 0 ||
        address_canonical(buf_str(&value), value.len, account, e) < 0)
        r = err_set(e, ERR_SYNTAX, "%s is damaged; remove the device and connect it again", path);
    else if (strcmp(account, to) != 0)
        r = err_set(e, ERR_EXISTS, "it was parked already, and its way back sealed to %s: say --to %s", account,
                    account);
out:
    buf_free(&text);
    buf_free(&value);
    return r;
}

static int park(struct tool *t, struct list *l, const struct profile *to, struct err *e)
{
    const char *name = t->args->words[0];
    char path[PATH_MAX], member[ADDRESS_SIZE];
    const struct list_device *d;
    int r;

    if (device_member(l->address, name, member, e) < 0 || !roster_find(&l->roster, member))
        return err_set(e, ERR_ABSENT,
                       "%s is no device of %s; recrypt device list shows which there are. This machine, with the "
                       "account's own key, cannot be parked",
                       name, l->address);
    if ((r = list_member_device(l, member, &d, e)) < 0 || (r = waiting_path(t, &d->is, path, e)) < 0)
        return r;
    if (d->parked) {
        if ((r = waits_for(path, to->account, e)) == ERR_ABSENT)
            return err_set(
                e, ERR_EXISTS,
                "%s is parked already; if its way back is lost: recrypt device remove %s, and on it: recrypt "
                "device connect %s",
                name, name, l->address);
        if (r < 0)
            return r;
    } else if ((r = park_now(t, l, &d->is, to, path, e)) < 0) {
        return r;
    }
    if ((r = hand_over(t, path, e)) < 0)
        return err_prefix(e, "%s is parked, but its way back was not written; run the same again", name);
    tool_note(
        "%s is parked: it reads nothing until it gets its way back. Send the message to %s; nothing of it is kept "
        "here",
        name, to->account);
    return 0;
}

int command_device_park(struct tool *t, struct err *e)
{
    const char *out = t->args->value[OPT_OUT];
    struct profile to;
    struct list l;
    int r;

    memset(&to, 0, sizeof to);
    if (t->args->to_count != 1)
        return err_set(e, ERR_USAGE, "park needs --to ADDRESS, once: who keeps the device's way back");
    if (out && !args_given(t->args, OPT_FORCE) && access(out, F_OK) == 0)
        return err_set(e, ERR_EXISTS, "%s is there already; nothing was changed", out);
    if ((r = list_open_account(t, NULL, 0, &l, e)) < 0)
        return r;
    if ((r = known_fetch(t->home, t->services, t->args->to[0], 0, &to, NULL, e)) == 0) {
        if (strcmp(to.account, l.address) == 0)
            r = err_set(e, ERR_USAGE, "the way back goes to somebody else, not to yourself");
        else if (to.kind != PROFILE_PERSON)
            r = err_set(e, ERR_UNSUPPORTED, "%s is a list; the way back goes to one person", to.account);
        else
            r = park(t, &l, &to, e);
    }
    profile_clear(&to);
    list_close(&l);
    return r;
}

static int see_part(void *arg, unsigned depth, struct span header, struct span body, struct err *e)
{
    struct buf *out = arg, type = BUF_INIT, encoding = BUF_INIT;
    struct mime_field field;
    int found = 0, r = 0;

    (void)depth;
    if (mime_field_find(header, "Content-Type", &field, NULL) == 1 && mime_type(field.value, &type, NULL) == 0 &&
        strcmp(buf_str(&type), "application/jose") == 0) {
        found = 1;
        if (mime_field_find(header, "Content-Transfer-Encoding", &field, NULL) == 1)
            r = mime_unfold(field.value, &encoding, e);
        if (r == 0 && strcasecmp(buf_str(&encoding), "base64") == 0)
            r = b64mime_decode(body.data, body.len, out);
        else if (r == 0)
            r = buf_append(out, body.data, body.len);
    }
    buf_free(&type);
    buf_free(&encoding);
    return r < 0 ? r : found;
}

/* What the third party handed over: the attached file, or the whole message as recrypt open writes it. */
static int read_recovery(const char *path, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    size_t begin = 0;
    int r;

    if ((r = file_read(path, HOME_FILE_MAX, &text, e)) < 0)
        goto out;
    while (text.len && isspace(text.data[text.len - 1]))
        text.len--;
    while (begin < text.len && isspace(text.data[begin]))
        begin++;
    if (text.len - begin > 3 && memcmp(text.data + begin, "eyJ", 3) == 0)
        r = buf_append(out, text.data + begin, text.len - begin) < 0 ? err_errno(e, "out of memory") : 0;
    else if ((r = mime_walk((struct span){text.data, text.len}, see_part, out, e)) == 1)
        r = 0;
    else
        r = err_set(
            e, ERR_SYNTAX,
            "%s is not what device park made: no recovery of a device is in it; a sealed message is opened first, by "
            "whom it was sent to (recrypt open)",
            path);
    while (out->len && isspace(out->data[out->len - 1]))
        out->len--;
out:
    buf_free(&text);
    return r;
}

/* This device, as the recovery's address names it. */
static int open_device(struct tool *t, const struct buf *recovery, struct own_device *out, struct err *e)
{
    char member[ADDRESS_SIZE], account[ADDRESS_SIZE], udf[64];
    struct buf ciphertext = BUF_INIT;
    struct jwe_recipient to;
    struct jwe *j = NULL;
    const char *ext;
    size_t len;
    int r;

    if ((r = jwe_parse(recovery->data, recovery->len, 0, &j, &ciphertext, e)) < 0 ||
        (r = jwe_recipient(j, 0, &to, e)) < 0 ||
        (r = to.kid ? keyid_parse(to.kid, member, udf, e) : err_set(e, ERR_SYNTAX, "the recovery names no device")) < 0)
        goto out;
    address_split(member, account, &ext, &len);
    if ((r = devices_open(t->home, account, out, e)) == 0 && !udf_equal(out->is.key_udf, udf)) {
        devices_close(out);
        r = err_set(e, ERR_KEY, "this recovery is for the device %s, not for this one", member);
    }
out:
    jwe_free(&j);
    buf_free(&ciphertext);
    return r;
}

/* The recovery as the owner signed it, for this device. */
static int open_recovery(struct tool *t, const struct own_device *d, const struct buf *sealed, struct buf *text,
                         struct err *e)
{
    struct recovery rec;
    struct jwk *key = NULL;
    struct profile owner;
    int r;

    memset(&owner, 0, sizeof owner);
    memset(&rec, 0, sizeof rec);
    if ((r = devices_key(t->home, d, &key, e)) < 0 ||
        (r = recovery_open(sealed->data, sealed->len, key, text, e)) < 0 ||
        (r = known_load(t->home, d->is.account, &owner, e)) < 0 ||
        (r = recovery_read(text->data, text->len, owner.signer, &rec, e)) < 0)
        goto out;
    if (strcmp(rec.account, d->is.account) != 0 || strcmp(rec.member, d->is.member) != 0)
        r = err_set(e, ERR_KEY, "this recovery is for the device %s, not for this one", rec.member);
out:
    jwk_free(&key);
    recovery_clear(&rec);
    profile_clear(&owner);
    return r;
}

/* Of an account with many keys it is longer than what the service takes from somebody unknown: then it is signed. */
static int join_again(struct tool *t, const struct own_device *d, const struct buf *text, struct err *e)
{
    const struct jwk *signer = text->len > UNSIGNED_MAX ? d->sign : NULL;
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct web *w;
    int r;

    if (sjson_set_string(body, "Account", d->is.account) < 0 || sjson_set_string(body, "Recovery", buf_str(text)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = services_for(t->services, d->is.account, &w, e)) == 0)
        r = web_call(w, "Join", body, signer, &reply, e);
    json_object_put(body);
    json_object_put(reply);
    return r;
}

int command_device_unpark(struct tool *t, struct err *e)
{
    struct buf sealed = BUF_INIT, text = BUF_INIT;
    struct own_device d;
    int r;

    memset(&d, 0, sizeof d);
    if ((r = read_recovery(t->args->words[0], &sealed, e)) < 0 || (r = open_device(t, &sealed, &d, e)) < 0 ||
        (r = open_recovery(t, &d, &sealed, &text, e)) < 0)
        goto out;
    /* Refused it is also when an earlier run did it and the answer was lost: then the device reads. */
    r = join_again(t, &d, &text, e);
    if (r == 0 || r == ERR_ABSENT)
        r = devices_prove(t, d.is.account, e);
    if (r == ERR_DENIED)
        err_set(e, ERR_DENIED,
                "the service does not take this recovery: it was used before, the device was removed, or its account "
                "has a new key. Begin anew: recrypt device connect %s",
                d.is.account);
    if (r == 0)
        printf("unparked: this device reads the mail of %s as %s\n", d.is.account, d.is.name);
out:
    t->again = "run the same command again";
    devices_close(&d);
    buf_free(&sealed);
    buf_free(&text);
    return r;
}
