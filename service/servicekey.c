#include "servicekey.h"

#include <errno.h>
#include <json-c/json.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/b64.h"
#include "common/conf.h"
#include "common/sjson.h"

enum { FILE_MAX = 16384, MAC_LEN = 32, TOKEN_LEN = 8 + MAC_LEN, BOUNCE_MEMBER = 12 };

static int hmac(const unsigned char key[SERVICEKEY_LEN], const void *data, size_t len, unsigned char out[MAC_LEN],
                struct err *e)
{
    size_t n = 0;

    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, SERVICEKEY_LEN, data, len, out, MAC_LEN, &n) ||
        n != MAC_LEN)
        return err_set(e, ERR_SYSTEM, "HMAC failed");
    return 0;
}

/* Takes the key over; its kid is its fingerprint, so that what is sealed to it names it. */
static int set_key(struct service_keys *k, struct jwk *key, struct err *e)
{
    int rc;

    k->key = key;
    rc = jwk_udf(key, k->udf);
    rc = rc ? rc : jwk_set_kid(key, k->udf);
    return rc ? err_set(e, rc, "fingerprint of the service's key") : 0;
}

static int read_secret(struct json_object *obj, const char *name, unsigned char out[SERVICEKEY_LEN], struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = sjson_b64(obj, name, &b, e);

    if (!rc && b.len != SERVICEKEY_LEN)
        rc = err_set(e, ERR_SYNTAX, "%s: not %d octets", name, SERVICEKEY_LEN);
    if (!rc)
        memcpy(out, b.data, SERVICEKEY_LEN);
    buf_free(&b);
    return rc;
}

static int parse(struct json_object *obj, struct service_keys *k, struct err *e)
{
    struct json_object *jkey;
    struct jwk *key = NULL;
    int64_t version;
    int rc = sjson_int(obj, "v", &version, e);

    if (!rc && version != 1)
        rc = err_set(e, ERR_UNSUPPORTED, "written by a newer version (%lld)", (long long)version);
    rc = rc ? rc : sjson_object(obj, "key", &jkey, e);
    rc = rc ? rc : jwk_from_json(jkey, &key, e);
    rc = rc ? rc : set_key(k, key, e);
    if (!rc && (!jwk_is_private(key) || jwk_is_signature(key)))
        rc = err_set(e, ERR_SYNTAX, "key: not a private key of key agreement");
    rc = rc ? rc : read_secret(obj, "storage", k->storage, e);
    rc = rc ? rc : read_secret(obj, "invite", k->invite, e);
    return rc ? rc : read_secret(obj, "archive", k->archive, e);
}

int servicekey_load(const char *path, struct service_keys **out, struct err *e)
{
    struct service_keys *k = NULL;
    struct json_object *obj = NULL;
    struct buf text = BUF_INIT;
    struct stat st;
    int rc;

    *out = NULL;
    if (stat(path, &st))
        return errno == ENOENT ? err_set(e, ERR_ABSENT, "%s: no such file", path) : err_errno(e, "%s", path);
    if (st.st_mode & 077)
        return err_set(e, ERR_DENIED, "%s: mode %03o lets others at the service's keys; make it 0600", path,
                       (unsigned)(st.st_mode & 0777));
    rc = file_read(path, FILE_MAX, &text, e);
    if (rc)
        return rc;
    k = secret_alloc(sizeof *k);
    if (!k)
        rc = err_errno(e, "service key");
    rc = rc ? rc : sjson_parse(text.data, text.len, NULL, &obj, e);
    rc = rc ? rc : parse(obj, k, e);
    if (rc)
        err_prefix(e, "%s", path);
    sjson_free_secret(&obj);
    buf_free(&text);
    if (rc)
        servicekey_free(&k);
    *out = k;
    return rc;
}

static int write_file(const char *path, const struct service_keys *k, struct err *e)
{
    struct json_object *obj = json_object_new_object(), *jkey = NULL;
    struct buf text = BUF_INIT;
    int rc = obj ? 0 : err_errno(e, "service key");

    rc = rc ? rc : jwk_to_json(k->key, 1, &jkey, e);
    rc = rc ? rc : sjson_set_int(obj, "v", 1);
    rc = rc ? rc : sjson_set_object(obj, "key", jkey);
    rc = rc ? rc : sjson_set_b64(obj, "storage", k->storage, SERVICEKEY_LEN);
    rc = rc ? rc : sjson_set_b64(obj, "invite", k->invite, SERVICEKEY_LEN);
    rc = rc ? rc : sjson_set_b64(obj, "archive", k->archive, SERVICEKEY_LEN);
    rc = rc ? rc : sjson_write(obj, &text);
    rc = rc ? rc : buf_puts(&text, "\n");
    rc = rc ? rc : file_create(path, text.data, text.len, 0600, e);
    sjson_free_secret(&obj);
    buf_free(&text);
    return rc;
}

int servicekey_create(const char *path, struct service_keys **out, struct err *e)
{
    struct service_keys *k = secret_alloc(sizeof *k);
    struct jwk *key = NULL;
    int rc;

    *out = NULL;
    if (!k)
        return err_errno(e, "service key");
    rc = jwk_generate("X25519", &key, e);
    rc = rc ? rc : set_key(k, key, e);
    if (!rc && (RAND_priv_bytes(k->storage, SERVICEKEY_LEN) != 1 || RAND_priv_bytes(k->invite, SERVICEKEY_LEN) != 1 ||
                RAND_priv_bytes(k->archive, SERVICEKEY_LEN) != 1))
        rc = err_set(e, ERR_SYSTEM, "no random numbers");
    rc = rc ? rc : write_file(path, k, e);
    if (rc)
        servicekey_free(&k);
    *out = k;
    return rc;
}

void servicekey_free(struct service_keys **k)
{
    if (!*k)
        return;
    jwk_free(&(*k)->key);
    secret_free(*k, sizeof **k);
    *k = NULL;
}

static int token_mac(const struct service_keys *k, const char *address, const unsigned char expires[8],
                     unsigned char mac[MAC_LEN], struct err *e)
{
    unsigned char data[ADDRESS_SIZE + 8];
    size_t len = strlen(address) + 1; /* with the NUL */

    if (len > ADDRESS_SIZE)
        return err_set(e, ERR_LIMIT, "address too long");
    memcpy(data, address, len);
    memcpy(data + len, expires, 8);
    return hmac(k->invite, data, len + 8, mac, e);
}

int servicekey_token(const struct service_keys *k, const char *address, int64_t expires, struct buf *out, struct err *e)
{
    unsigned char token[TOKEN_LEN];
    int rc;

    for (int i = 0; i < 8; i++)
        token[i] = (unsigned char)((uint64_t)expires >> (56 - 8 * i));
    rc = token_mac(k, address, token, token + 8, e);
    if (!rc && b64url_encode(token, sizeof token, out))
        rc = err_errno(e, "token");
    return rc;
}

int servicekey_token_check(const struct service_keys *k, const char *address, const char *token, int64_t now,
                           struct err *e)
{
    unsigned char mac[MAC_LEN];
    struct buf b = BUF_INIT;
    uint64_t expires = 0;
    int rc = 0;

    if (b64url_decode(token, strlen(token), &b) || b.len != TOKEN_LEN)
        rc = err_set(e, ERR_DENIED, "the token is not one of this service");
    rc = rc ? rc : token_mac(k, address, b.data, mac, e);
    if (!rc && CRYPTO_memcmp(mac, b.data + 8, MAC_LEN))
        rc = err_set(e, ERR_DENIED, "the token is not one for this address");
    for (int i = 0; !rc && i < 8; i++)
        expires = expires << 8 | b.data[i];
    if (!rc && expires < (uint64_t)now)
        rc = err_set(e, ERR_DENIED, "the token has expired");
    buf_free(&b);
    return rc;
}

/* HMAC over what and one or two names, as that many characters. what "" stands for the archive's mark, which has only
 * ever had the one name under it. */
static int mark(const struct service_keys *k, const char *what, const char *first, const char *second, size_t chars,
                char *out, struct err *e)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char mac[MAC_LEN];
    struct buf text = BUF_INIT;
    int rc = 0;

    if (*what)
        rc = buf_append(&text, what, strlen(what) + 1);
    rc = rc ? rc : buf_puts(&text, first);
    if (!rc && second)
        rc = buf_append(&text, "", 1) ? ERR_SYSTEM : buf_puts(&text, second);
    rc = rc ? err_set(e, ERR_SYSTEM, "out of memory") : hmac(k->archive, text.data, text.len, mac, e);
    buf_free(&text);
    if (rc)
        return rc;
    for (size_t i = 0; i < chars; i++) {
        size_t bit = i * 5;
        unsigned two = (unsigned)mac[bit / 8] << 8 | mac[bit / 8 + 1];

        out[i] = alphabet[two >> (11 - bit % 8) & 31];
    }
    out[chars] = '\0';
    return 0;
}

/* list+<what>-<mark>@domain */
static int marked_address(const char *list, const char *what, const char *text, char out[ADDRESS_SIZE], struct err *e)
{
    const char *at = strchr(list, '@');
    char again[ADDRESS_SIZE], full[ADDRESS_SIZE + 64];

    snprintf(full, sizeof full, "%.*s+%s-%s%s", (int)(at - list), list, what, text, at);
    if (address_canonical(full, strlen(full), again, NULL) || strcmp(full, again))
        return err_set(e, ERR_LIMIT, "%s: an address made from it would be too long", list);
    memcpy(out, again, ADDRESS_SIZE);
    return 0;
}

int servicekey_archive(const struct service_keys *k, const char *list, char out[ADDRESS_SIZE], struct err *e)
{
    char text[SERVICEKEY_MARK + 1];
    int rc = mark(k, "", list, NULL, SERVICEKEY_MARK, text, e);

    return rc ? rc : marked_address(list, "archive", text, out, e);
}

int servicekey_fanout(const struct service_keys *k, const char *list, char out[ADDRESS_SIZE], struct err *e)
{
    char text[SERVICEKEY_MARK + 1];
    int rc = mark(k, "fanout", list, NULL, SERVICEKEY_MARK, text, e);

    return rc ? rc : marked_address(list, "fanout", text, out, e);
}

/* The first part stands for the member, the second proves the first: so it is known without a search among the members.
 */
int servicekey_bounce(const struct service_keys *k, const char *list, const char *member, char out[ADDRESS_SIZE],
                      struct err *e)
{
    char text[SERVICEKEY_MARK + 1];
    int rc = mark(k, "bounce", list, member, BOUNCE_MEMBER, text, e);

    rc = rc ? rc : mark(k, "bounces", list, text, SERVICEKEY_MARK - BOUNCE_MEMBER, text + BOUNCE_MEMBER, e);
    return rc ? rc : marked_address(list, "bounce", text, out, e);
}

int servicekey_bounce_known(const struct service_keys *k, const char *list, const char *text, size_t len)
{
    char member[BOUNCE_MEMBER + 1], proof[SERVICEKEY_MARK + 1];

    if (len != SERVICEKEY_MARK)
        return 0;
    memcpy(member, text, BOUNCE_MEMBER);
    member[BOUNCE_MEMBER] = '\0';
    return !mark(k, "bounces", list, member, SERVICEKEY_MARK - BOUNCE_MEMBER, proof, NULL) &&
           !CRYPTO_memcmp(proof, text + BOUNCE_MEMBER, SERVICEKEY_MARK - BOUNCE_MEMBER);
}

int servicekey_copy(const struct service_keys *k, const char *job, const char *member, char out[SERVICEKEY_MARK + 1],
                    struct err *e)
{
    return mark(k, "copy", job, member, SERVICEKEY_MARK, out, e);
}
