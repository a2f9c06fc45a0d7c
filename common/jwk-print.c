/* A key's names: RFC 7638 thumbprint and UDF fingerprint. */
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#include "b64.h"
#include "buf.h"
#include "jwk-private.h"
#include "udf.h"

enum { SHA256_LEN = 32 };

int jwk_thumbprint(const struct jwk *k, char out[JWK_THUMBPRINT_SIZE])
{
    int ec = strcmp(jwk_kty(k), "EC") == 0, r;
    struct buf text = BUF_INIT;
    unsigned char digest[SHA256_LEN];

    *out = 0;
    r = buf_printf(&text, "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"", jwk_crv(k), jwk_kty(k));
    if (r == 0)
        r = b64url_encode(k->pub, ec ? P256_COORD : k->pub_len, &text);
    if (r == 0 && ec && (r = buf_puts(&text, "\",\"y\":\"")) == 0)
        r = b64url_encode(k->pub + P256_COORD, P256_COORD, &text);
    if (r == 0)
        r = buf_puts(&text, "\"}");
    if (r == 0 && EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
        r = ERR_SYSTEM;
    buf_reset(&text);
    if (r == 0 && (r = b64url_encode(digest, sizeof digest, &text)) == 0)
        memcpy(out, buf_str(&text), text.len + 1);
    buf_free(&text);
    return r < 0 ? ERR_SYSTEM : 0;
}

static EVP_PKEY *dh_group(const char *name)
{
    char group[16];
    OSSL_PARAM params[2];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    EVP_PKEY *evp = NULL;

    snprintf(group, sizeof group, "%s", strcmp(name, "modp2048") == 0 ? "modp_2048" : name);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    params[1] = OSSL_PARAM_construct_end();
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_KEY_PARAMETERS, params) != 1)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

static int append_integer(const BIGNUM *bn, struct buf *out)
{
    ASN1_INTEGER *i = bn ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
    unsigned char *der = NULL;
    int len = i ? i2d_ASN1_INTEGER(i, &der) : -1, r = ERR_SYSTEM;

    if (len > 0)
        r = buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    ASN1_INTEGER_free(i);
    return r;
}

/* PKCS #3 dhKeyAgreement with p and g and nothing else. Made here because OpenSSL's own encoder may add the length of
 * private values in some versions, and a fingerprint must not depend on the version. */
static int spki_dh(const struct jwk *k, unsigned char **der)
{
    EVP_PKEY *group = dh_group(jwk_crv(k));
    BIGNUM *p = NULL, *g = NULL, *y = BN_bin2bn(k->pub, (int)k->pub_len, NULL);
    struct buf params = BUF_INIT, value = BUF_INIT;
    X509_PUBKEY *spki = X509_PUBKEY_new();
    ASN1_STRING *seq = ASN1_STRING_new();
    unsigned char *bits = NULL, head[4];
    int len = -1;

    if (!group || EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_P, &p) != 1 ||
        EVP_PKEY_get_bn_param(group, OSSL_PKEY_PARAM_FFC_G, &g) != 1 || append_integer(p, &value) < 0 ||
        append_integer(g, &value) < 0)
        goto out;
    head[0] = 0x30; /* SEQUENCE, length in two octets */
    head[1] = 0x82;
    head[2] = (unsigned char)(value.len >> 8);
    head[3] = (unsigned char)value.len;
    if (buf_append(&params, head, sizeof head) < 0 || buf_append(&params, value.data, value.len) < 0)
        goto out;
    buf_reset(&value);
    if (append_integer(y, &value) < 0 || !spki || !seq || !ASN1_STRING_set(seq, params.data, (int)params.len) ||
        !(bits = OPENSSL_memdup(value.data, value.len)))
        goto out;
    if (X509_PUBKEY_set0_param(spki, OBJ_nid2obj(NID_dhKeyAgreement), V_ASN1_SEQUENCE, seq, bits, (int)value.len) != 1)
        goto out;
    seq = NULL;
    bits = NULL;
    len = i2d_X509_PUBKEY(spki, der);
out:
    OPENSSL_free(bits);
    ASN1_STRING_free(seq);
    X509_PUBKEY_free(spki);
    buf_free(&params);
    buf_free(&value);
    BN_free(p);
    BN_free(g);
    BN_free(y);
    EVP_PKEY_free(group);
    return len;
}

static int spki(const struct jwk *k, unsigned char **der)
{
    const char *kty = jwk_kty(k);
    EVP_PKEY *evp;
    int len;

    if (strcmp(kty, "DH") == 0)
        return spki_dh(k, der);
    evp = strcmp(kty, "EC") == 0 ? jwk_p256_evp(k->pub, NULL)
                                 : EVP_PKEY_new_raw_public_key_ex(NULL, jwk_crv(k), NULL, k->pub, k->pub_len);
    len = evp ? i2d_PUBKEY(evp, der) : -1;
    EVP_PKEY_free(evp);
    return len;
}

int jwk_udf(const struct jwk *k, char out[JWK_UDF_SIZE])
{
    unsigned char *der = NULL;
    int len = spki(k, &der), r = ERR_SYSTEM;

    *out = 0;
    if (len > 0)
        r = udf_text("application/pkix-keyinfo", der, (size_t)len, UDF_BITS_DEFAULT, out);
    OPENSSL_free(der);
    return r;
}
