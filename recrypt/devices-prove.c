/* Whether a device really reads (devices.h). */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "devices.h"
#include "known.h"
#include "opener.h"

struct sample {
    struct buf ciphertext, plain;
};

/* This machine has no whole key of the account: one that opens it would not be the device's. */
static int refuse_key(void *arg, const struct jwe *j, const struct jwk *key, struct err *e)
{
    (void)arg;
    (void)j;
    (void)key;
    return err_set(e, ERR_KEY, "not by the device");
}

static int open_sample(void *arg, const struct jwe *j, size_t recipient, const struct share *s, const struct grant *g,
                       struct err *e)
{
    struct sample *sample = arg;

    return share_decrypt(s, g, j, recipient, &sample->ciphertext, &sample->plain, e);
}

int devices_prove(struct tool *t, const char *account, struct err *e)
{
    struct jwe_options opt = {0};
    struct sample sample = {BUF_INIT, BUF_INIT};
    const struct opener how = {refuse_key, open_sample, &sample, NULL};
    unsigned char text[32];
    char keyid[KEYID_SIZE];
    const struct jwk *keys[1];
    struct jwe *j = NULL;
    struct profile p;
    int r;

    if ((r = known_fetch(t->home, t->services, account, 0, &p, NULL, e)) < 0)
        return r;
    keys[0] = p.key;
    if (RAND_bytes(text, sizeof text) != 1)
        r = err_set(e, ERR_SYSTEM, "the system's random generator failed");
    else if ((r = jwe_encrypt(keys, 1, &opt, text, sizeof text, &j, &sample.ciphertext, e)) == 0 &&
             (r = opener_run(t, j, &how, keyid, e)) == 0 &&
             (sample.plain.len != sizeof text || CRYPTO_memcmp(sample.plain.data, text, sizeof text) != 0))
        r = err_set(e, ERR_CRYPTO, "what this device opened is not what was sealed");
    jwe_free(&j);
    buf_free(&sample.ciphertext);
    buf_free(&sample.plain);
    profile_clear(&p);
    return r;
}
