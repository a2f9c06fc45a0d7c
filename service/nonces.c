#include "nonces.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/buf.h"

enum { TIME_LEN = 4, RANDOM_LEN = 12, BODY_LEN = TIME_LEN + RANDOM_LEN, MAC_LEN = 16, RAW_LEN = BODY_LEN + MAC_LEN };

/* Two generations of used nonces: one that was closed a lifetime ago holds nothing that could still be used. */
struct nonces {
    unsigned char key[32];
    void *used[2];
    size_t count[2];
    int64_t opened; /* when generation 0 was */
};

int nonces_new(struct nonces **out, struct err *e)
{
    struct nonces *n = secret_alloc(sizeof *n);

    *out = NULL;
    if (!n || RAND_priv_bytes(n->key, sizeof n->key) != 1) {
        secret_free(n, sizeof *n);
        return err_set(e, ERR_SYSTEM, "cannot make a key for nonces");
    }
    *out = n;
    return 0;
}

static int mac(const struct nonces *n, const unsigned char body[BODY_LEN], unsigned char out[MAC_LEN])
{
    unsigned char full[32];
    size_t len = 0;

    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, n->key, sizeof n->key, body, BODY_LEN, full, sizeof full, &len))
        return ERR_SYSTEM;
    memcpy(out, full, MAC_LEN);
    return 0;
}

int nonces_issue(const struct nonces *n, int64_t now, char out[NONCE_SIZE], struct err *e)
{
    unsigned char raw[RAW_LEN];
    struct buf text = BUF_INIT;
    int rc;

    for (int i = 0; i < TIME_LEN; i++)
        raw[i] = (unsigned char)((uint32_t)now >> (24 - 8 * i));
    rc = RAND_bytes(raw + TIME_LEN, RANDOM_LEN) == 1 ? 0 : ERR_SYSTEM;
    rc = rc ? rc : mac(n, raw, raw + BODY_LEN);
    rc = rc ? rc : b64url_encode(raw, sizeof raw, &text);
    if (!rc)
        memcpy(out, buf_str(&text), NONCE_SIZE);
    buf_free(&text);
    return rc ? err_set(e, ERR_SYSTEM, "cannot make a nonce") : 0;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, BODY_LEN);
}

static int decode(const struct nonces *n, const char *nonce, int64_t now, unsigned char body[BODY_LEN])
{
    struct buf raw = BUF_INIT;
    unsigned char want[MAC_LEN];
    uint32_t made = 0;
    int rc = ERR_STALE;

    if (strlen(nonce) == NONCE_SIZE - 1 && !b64url_decode(nonce, NONCE_SIZE - 1, &raw) && raw.len == RAW_LEN &&
        !mac(n, raw.data, want) && !CRYPTO_memcmp(want, raw.data + BODY_LEN, MAC_LEN)) {
        for (int i = 0; i < TIME_LEN; i++)
            made = made << 8 | raw.data[i];
        memcpy(body, raw.data, BODY_LEN);
        rc = (uint32_t)now - made <= NONCE_SECONDS ? 0 : ERR_STALE;
    }
    buf_free(&raw);
    return rc;
}

int nonces_check(const struct nonces *n, const char *nonce, int64_t now, struct err *e)
{
    unsigned char body[BODY_LEN];

    if (decode(n, nonce, now, body) || tfind(body, &n->used[0], compare) || tfind(body, &n->used[1], compare))
        return err_set(e, ERR_STALE, "nonce");
    return 0;
}

static void turn(struct nonces *n, int64_t now)
{
    if (now - n->opened <= NONCE_SECONDS)
        return;
    tdestroy(n->used[1], free);
    n->used[1] = n->used[0];
    n->count[1] = n->count[0];
    n->used[0] = NULL;
    n->count[0] = 0;
    n->opened = now;
}

int nonces_use(struct nonces *n, const char *nonce, int64_t now, struct err *e)
{
    unsigned char body[BODY_LEN], *kept;
    int rc = nonces_check(n, nonce, now, e);

    if (rc)
        return rc;
    turn(n, now);
    if (n->count[0] + n->count[1] >= NONCES_KEPT)
        return err_set(e, ERR_RETRY, "too many requests at once");
    kept = decode(n, nonce, now, body) ? NULL : malloc(BODY_LEN);
    if (!kept)
        return err_set(e, ERR_SYSTEM, "out of memory");
    memcpy(kept, body, BODY_LEN);
    if (!tsearch(kept, &n->used[0], compare)) {
        free(kept);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    n->count[0]++;
    return 0;
}

void nonces_free(struct nonces **n)
{
    if (!*n)
        return;
    tdestroy((*n)->used[0], free);
    tdestroy((*n)->used[1], free);
    secret_free(*n, sizeof **n);
    *n = NULL;
}
