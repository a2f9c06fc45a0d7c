#include "devices.h"

#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "person.h"

static int request_path(const struct home *h, const char *account, char path[PATH_MAX], struct err *e)
{
    return home_path(h, 0, path, e, "devices", "/request.jws", account, NULL, NULL);
}

int devices_exists(const struct home *h, const char *account)
{
    char path[PATH_MAX];

    return request_path(h, account, path, NULL) == 0 && access(path, F_OK) == 0;
}

int devices_open(struct home *h, const char *account, struct own_device *out, struct err *e)
{
    char path[PATH_MAX];
    int r;

    memset(out, 0, sizeof *out);
    if ((r = request_path(h, account, path, e)) < 0)
        return r;
    if ((r = file_read(path, HOME_FILE_MAX, &out->text, e)) == ERR_ABSENT)
        return err_set(e, ERR_ABSENT, "this machine is no device of %s; make it one: recrypt device connect %s",
                       account, account);
    if (r < 0 || (r = device_read(out->text.data, out->text.len, &out->is, e)) < 0) {
        err_prefix(e, "%s", path);
        goto fail;
    }
    if ((r = home_path(h, 0, path, e, "devices", "/sign.jwk", account, NULL, NULL)) < 0 ||
        (r = home_key_load(h, path, &out->sign, NULL, e)) < 0)
        goto fail;
    if (strcmp(out->is.account, account) != 0 || !jwk_equal(out->sign, out->is.signer)) {
        r = err_set(e, ERR_KEY, "%s is not the key that signed this device's request", path);
        goto fail;
    }
    return 0;
fail:
    devices_close(out);
    return r;
}

void devices_close(struct own_device *d)
{
    device_clear(&d->is);
    jwk_free(&d->sign);
    buf_free(&d->text);
}

int devices_key(struct home *h, const struct own_device *d, struct jwk **out, struct err *e)
{
    int r = person_key(h, "devices", d->is.account, d->is.key_udf, out, e);

    if (r == 0 && jwk_set_kid(*out, jwk_kid(d->is.key)) < 0) {
        jwk_free(out);
        r = err_errno(e, "out of memory");
    }
    return r;
}

int devices_key_udf(struct home *h, const char *account, char udf[JWK_UDF_SIZE], struct err *e)
{
    struct own_device device;
    struct person person;
    int r;

    if (devices_exists(h, account)) {
        if ((r = devices_open(h, account, &device, e)) == 0) {
            memcpy(udf, device.is.key_udf, JWK_UDF_SIZE);
            devices_close(&device);
        }
        return r;
    }
    if ((r = person_open(h, account, &person, e)) == 0) {
        if ((r = jwk_udf(person.profile.key, udf)) < 0)
            err_set(e, r, "fingerprint of a key failed");
        person_close(&person);
    } else if (r == ERR_ABSENT && !person_exists(h, account)) {
        err_set(
            e, ERR_ABSENT,
            "this machine reads no mail of %s: recrypt personal %s makes an account, recrypt device connect %s makes "
            "this a device of it",
            account, account, account);
    }
    return r;
}
