/* device connect: this machine asks to become a device. */
#include <ctype.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "devices.h"
#include "known.h"
#include "person.h"

enum {
    REQUEST_AGE = 20 * 3600, /* older ones are signed anew: the service keeps them for a day */
    WAIT_SECONDS = 24 * 3600
};

/* The host's name as a device's. */
static void host_name(char out[DEVICE_NAME_SIZE])
{
    char host[256] = "";
    size_t used = 0;

    gethostname(host, sizeof host - 1);
    for (const char *s = host; *s && *s != '.' && used < DEVICE_NAME_SIZE - 1; s++)
        if (isalnum((unsigned char)*s) || (*s == '-' && used))
            out[used++] = (char)tolower((unsigned char)*s);
    while (used && out[used - 1] == '-')
        used--;
    out[used] = 0;
    if (!used)
        snprintf(out, DEVICE_NAME_SIZE, "device");
}

static int first_key(void *arg, const char *udf, struct err *e)
{
    (void)e;
    snprintf(arg, JWK_UDF_SIZE, "%s", udf);
    return 1;
}

/* A key of this device: the file that an earlier run made ("" = it made none), or a new one. */
static int own_key(struct tool *t, const struct device *d, const char *file, const char *type, struct jwk **out,
                   struct err *e)
{
    const struct buf *pass;
    char path[PATH_MAX];
    int r;

    if ((r = home_path(t->home, 0, path, e, "devices", ".jwk", d->account, file, NULL)) < 0)
        return r;
    if (*file && access(path, F_OK) == 0)
        return home_key_load(t->home, path, out, NULL, e);
    if ((r = home_passphrase(t->home, args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        return r;
    if ((r = person_make_key(d->member, type, out, e)) == 0 &&
        (r = person_save_key(t->home, "devices", d->account, *out, pass, e)) < 0)
        jwk_free(out);
    return r;
}

/* Signs a request with this device's keys and keeps it. d: account, name and owner. */
static int make_request(struct tool *t, struct device *d, struct err *e)
{
    const char *suite = t->args->value[OPT_SUITE];
    struct buf text = BUF_INIT;
    struct jwk *sign = NULL;
    char path[PATH_MAX], udf[JWK_UDF_SIZE] = "";
    int r;

    d->issued = (int64_t)time(NULL);
    if ((r = device_member(d->account, d->name, d->member, e)) < 0) {
        r = e ? (e->code = ERR_USAGE) : ERR_USAGE;
        goto out;
    }
    if ((r = own_key(t, d, "sign", "Ed25519", &sign, e)) < 0 ||
        (r = person_each_key(t->home, "devices", d->account, first_key, udf, e)) < 0 ||
        (r = own_key(t, d, udf, suite ? suite : "X25519", &d->key, e)) < 0 ||
        (r = device_sign(d, sign, &text, e)) < 0 ||
        (r = home_path(t->home, 1, path, e, "devices", "/request.jws", d->account, NULL, NULL)) < 0)
        goto out;
    r = file_write(path, text.data, text.len, 0600, e);
out:
    jwk_free(&d->key);
    jwk_free(&sign);
    buf_free(&text);
    return r;
}

static int join(struct tool *t, const struct own_device *d, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct web *w;
    int r;

    if (sjson_set_string(body, "Account", d->is.account) < 0 ||
        sjson_set_string(body, "Request", buf_str(&d->text)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = services_for(t->services, d->is.account, &w, e)) == 0)
        r = web_call(w, "Join", body, NULL, &reply, e);
    if (r == ERR_EXISTS)
        err_set(e, ERR_EXISTS,
                "this device is parked: recrypt device unpark; or to begin anew, where the key of %s is: recrypt "
                "device remove %s",
                d->is.account, d->is.name);
    json_object_put(body);
    json_object_put(reply);
    return r;
}

/* A device that was let in, or is parked, is so under the name in its request: that is not to be lost. */
static int may_rename(struct tool *t, const struct own_device *d, struct err *e)
{
    int r = devices_prove(t, d->is.account, e);

    if (r == 0)
        return err_set(
            e, ERR_EXISTS,
            "this device is connected as %s; for another name, where the key of %s is, first: recrypt device "
            "remove %s",
            d->is.name, d->is.account, d->is.name);
    return r == ERR_DENIED || r == ERR_KEY ? join(t, d, e) : r;
}

/* The device with a request that can be sent: the one there is, unless it says something else or is too old. */
static int ready(struct tool *t, const char *account, const struct profile *p, struct own_device *out, struct err *e)
{
    const char *name = t->args->value[OPT_NAME];
    struct device d;
    int r;

    memset(&d, 0, sizeof d);
    memset(out, 0, sizeof *out);
    snprintf(d.account, sizeof d.account, "%s", account);
    if ((r = jwk_udf(p->signer, d.owner)) < 0)
        return err_set(e, r, "fingerprint of a key failed");
    if (name && strlen(name) >= sizeof d.name)
        return err_set(e, ERR_USAGE, "a device's name has at most %d characters", DEVICE_NAME_SIZE - 1);
    host_name(d.name);
    if ((r = devices_open(t->home, account, out, e)) == 0) {
        snprintf(d.name, sizeof d.name, "%s", name ? name : out->is.name);
        if (strcmp(d.name, out->is.name) != 0 && strcmp(d.owner, out->is.owner) == 0 &&
            (r = may_rename(t, out, e)) < 0) {
            devices_close(out);
            return r;
        }
        if (strcmp(d.name, out->is.name) == 0 && strcmp(d.owner, out->is.owner) == 0 &&
            time(NULL) - out->is.issued < REQUEST_AGE)
            return 0;
        devices_close(out);
    } else if (r != ERR_ABSENT) {
        return r;
    } else if (name) {
        snprintf(d.name, sizeof d.name, "%s", name);
    }
    if ((r = make_request(t, &d, e)) == 0)
        r = devices_open(t->home, account, out, e);
    return r;
}

static int wait_for(struct tool *t, const char *account, struct err *e)
{
    time_t begin = time(NULL), now = begin;
    int r;

    while ((r = devices_prove(t, account, e)) == ERR_DENIED || r == ERR_RETRY) {
        if ((now = time(NULL)) - begin > WAIT_SECONDS)
            return err_set(e, ERR_RETRY, "nobody has accepted this device; run the same again");
        sleep(now - begin < 120 ? 1 : 5);
    }
    return r;
}

static void tell_connected(const struct own_device *d)
{
    printf("connected: this device reads the mail of %s as %s\n", d->is.account, d->is.name);
}

/* Asks, tells what to do, and waits when that is wanted. */
static int ask(struct tool *t, const struct own_device *d, struct err *e)
{
    const char *account = d->is.account;
    int r;

    if ((r = join(t, d, e)) < 0)
        return r;
    printf("%s\nOn the machine with the key of %s, recrypt device pending shows this same code, and the name %s. Then, "
           "there: recrypt device accept %s\n",
           d->is.code, account, d->is.name, d->is.code);
    if (!args_given(t->args, OPT_WAIT))
        return 0;
    fflush(stdout);
    home_unlock(t->home);
    if ((r = wait_for(t, account, e)) == 0)
        tell_connected(d);
    return r;
}

int command_device_connect(struct tool *t, struct err *e)
{
    char account[ADDRESS_SIZE];
    struct own_device d;
    struct profile p;
    int r;

    memset(&d, 0, sizeof d);
    memset(&p, 0, sizeof p);
    if ((r = tool_address(t->args->words[0], account, e)) < 0 || (r = home_lock(t->home, e)) < 0)
        return r;
    if (person_registered(t->home, account))
        return err_set(e, ERR_EXISTS,
                       "the key of %s itself is on this machine: it reads everything already, and accepts devices "
                       "(recrypt device pending)",
                       account);
    t->again = "run the same command again";
    if ((r = known_fetch(t->home, t->services, account, 0, &p, NULL, e)) < 0)
        return r;
    if (p.kind != PROFILE_PERSON) {
        r = err_set(e, ERR_UNSUPPORTED, "%s is a list; only persons have devices", account);
        goto out;
    }
    if ((r = ready(t, account, &p, &d, e)) < 0)
        goto out;
    if ((r = devices_prove(t, account, e)) == 0)
        tell_connected(&d);
    else if (r == ERR_DENIED)
        r = ask(t, &d, e);
    t->again = "this device's keys are kept; run the same command again";
out:
    devices_close(&d);
    profile_clear(&p);
    return r;
}
