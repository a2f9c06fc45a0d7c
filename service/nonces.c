#include "nonces.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "common/b64.h"
#include "common/buf.h"

enum { TIME_LEN = 4, NUMBER_LEN = 8, BODY_LEN = 16, MAC_LEN = 16, RAW_LEN = BODY_LEN + MAC_LEN, KEY_LEN = 32 };

struct nonces {
    unsigned char mac_key[KEY_LEN], cipher_key[KEY_LEN];
    uint64_t kept, next; /* the number that is given out next */
    unsigned char *used; /* a bit for each of the last kept numbers */
};

int nonces_new(uint64_t kept, struct nonces **out, struct err *e)
{
    struct nonces *n = secret_alloc(sizeof *n);

    *out = NULL;
    if (!n || !(n->used = calloc((size_t)(kept + 7) / 8, 1)) || RAND_priv_bytes(n->mac_key, KEY_LEN) != 1 ||
        RAND_priv_bytes(n->cipher_key, KEY_LEN) != 1) {
        nonces_free(&n);
        return err_set(e, ERR_SYSTEM, "cannot make a key for nonces");
    }
    n->kept = kept;
    n->next = kept; /* so that numbers never run below zero */
    *out = n;
    return 0;
}

static int mac(const struct nonces *n, const unsigned char body[BODY_LEN], unsigned char out[MAC_LEN])
{
    unsigned char full[32];
    size_t len = 0;

    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, n->mac_key, KEY_LEN, body, BODY_LEN, full, sizeof full, &len))
        return ERR_SYSTEM;
    memcpy(out, full, MAC_LEN);
    return 0;
}

/* One block under AES: time and number, no two of them equal. In clear they would tell how many requests there are. */
static int block(const struct nonces *n, int encrypt, const unsigned char in[BODY_LEN], unsigned char out[BODY_LEN])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0, ok;

    ok = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_ecb(), NULL, n->cipher_key, NULL, encrypt) &&
         EVP_CIPHER_CTX_set_padding(ctx, 0) && EVP_CipherUpdate(ctx, out, &len, in, BODY_LEN) && len == BODY_LEN;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : ERR_SYSTEM;
}

static void put(unsigned char *to, uint64_t value, int len)
{
    for (; len > 0; value >>= 8)
        to[--len] = (unsigned char)value;
}

static uint64_t take(const unsigned char *from, int len)
{
    uint64_t value = 0;

    for (int i = 0; i < len; i++)
        value = value << 8 | from[i];
    return value;
}

int nonces_issue(struct nonces *n, int64_t now, char out[NONCE_SIZE], struct err *e)
{
    unsigned char plain[BODY_LEN] = {0}, raw[RAW_LEN];
    uint64_t at = n->next % n->kept;
    struct buf text = BUF_INIT;
    int rc;

    put(plain, (uint32_t)now, TIME_LEN);
    put(plain + TIME_LEN, n->next, NUMBER_LEN);
    rc = block(n, 1, plain, raw);
    rc = rc ? rc : mac(n, raw, raw + BODY_LEN);
    rc = rc ? rc : b64url_encode(raw, sizeof raw, &text);
    if (!rc) {
        memcpy(out, buf_str(&text), NONCE_SIZE);
        n->used[at / 8] &= (unsigned char)~(1u << at % 8);
        n->next++;
    }
    buf_free(&text);
    return rc ? err_set(e, ERR_SYSTEM, "cannot make a nonce") : 0;
}

/* The place of its bit, when the nonce is one of ours and neither expired nor used. */
static int find(const struct nonces *n, const char *nonce, int64_t now, uint64_t *at)
{
    unsigned char want[MAC_LEN], plain[BODY_LEN];
    struct buf raw = BUF_INIT;
    uint64_t number;
    int rc = ERR_STALE;

    if (strlen(nonce) == NONCE_SIZE - 1 && !b64url_decode(nonce, NONCE_SIZE - 1, &raw) && raw.len == RAW_LEN &&
        !mac(n, raw.data, want) && !CRYPTO_memcmp(want, raw.data + BODY_LEN, MAC_LEN) &&
        !block(n, 0, raw.data, plain)) {
        number = take(plain + TIME_LEN, NUMBER_LEN);
        *at = number % n->kept;
        if ((uint32_t)now - (uint32_t)take(plain, TIME_LEN) <= NONCE_SECONDS && number >= n->next - n->kept &&
            !(n->used[*at / 8] >> *at % 8 & 1))
            rc = 0;
    }
    buf_free(&raw);
    return rc;
}

int nonces_check(const struct nonces *n, const char *nonce, int64_t now, struct err *e)
{
    uint64_t at;

    return find(n, nonce, now, &at) ? err_set(e, ERR_STALE, "nonce") : 0;
}

int nonces_use(struct nonces *n, const char *nonce, int64_t now, struct err *e)
{
    uint64_t at;

    if (find(n, nonce, now, &at))
        return err_set(e, ERR_STALE, "nonce");
    n->used[at / 8] |= (unsigned char)(1u << at % 8);
    return 0;
}

void nonces_free(struct nonces **n)
{
    if (!*n)
        return;
    free((*n)->used);
    secret_free(*n, sizeof **n);
    *n = NULL;
}
