/* Arbitrary octets are a message that is wrapped, and a plaintext that is opened.
 * identity: what is wrapped is unwrapped, and opened, to the same octets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/jwk.h"
#include "common/protect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int lookup(void *arg, const char *account, const char *kid, struct jwk **out, struct err *e)
{
    const char *key = arg;

    (void)account;
    (void)kid;
    return key ? jwk_parse(key, strlen(key), out, e) : err_set(e, ERR_ABSENT, "no such key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char key[] =
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
    struct span msg = {data, size};
    struct buf payload = BUF_INIT, back = BUF_INIT;
    struct protect_verdict verdict;
    struct err e;
    int r;

    if (protect_wrap(msg, NULL, &payload, &e) == 0) {
        if (protect_unwrap((struct span){payload.data, payload.len}, &back, &e) < 0 || back.len != size ||
            (size > 0 && memcmp(back.data, data, size) != 0))
            abort();
        buf_reset(&back);
        if (protect_open((struct span){payload.data, payload.len}, "k", lookup, NULL, &back, &verdict, &e) < 0 ||
            verdict.status != PROTECT_UNSIGNED || back.len != size || (size > 0 && memcmp(back.data, data, size) != 0))
            abort();
        buf_reset(&back);
    }
    r = protect_open(msg, "k", lookup, size % 2 ? (void *)(uintptr_t)key : NULL, &back, &verdict, &e);
    if ((r < 0 && back.len != 0) || back.len > size || verdict.status == PROTECT_SIGNED)
        abort();
    buf_free(&payload);
    buf_free(&back);
    return 0;
}
