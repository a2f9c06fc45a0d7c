#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static int tls_fault(int code, const char *what, struct err *e)
{
    unsigned long n = ERR_get_error();
    const char *why = n ? ERR_reason_error_string(n) : NULL;

    ERR_clear_error();
    return err_set(e, code, "%s: %s", what, why ? why : "out of memory");
}

static SSL_CTX *context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (!ctx)
        return NULL;
    /* A peer that closes without TLS's goodbye is a peer that closes: IMAP says itself what is complete. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static int use_chain(SSL_CTX *ctx, BIO *pem, struct err *e)
{
    X509 *cert = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
    int ok = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    if (!ok)
        return tls_fault(ERR_USAGE, "tls_certificate", e);
    while ((cert = PEM_read_bio_X509(pem, NULL, NULL, NULL)))
        if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
            X509_free(cert);
            return tls_fault(ERR_USAGE, "tls_certificate", e);
        }
    ERR_clear_error(); /* the end of the file */
    return 0;
}

static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int use_key(SSL_CTX *ctx, BIO *pem, struct err *e)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    int ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    return ok ? 0 : tls_fault(ERR_USAGE, "tls_key", e);
}

int tls_front(const struct buf *certificate_pem, const struct buf *key_pem, SSL_CTX **out, struct err *e)
{
    BIO *certificate = BIO_new_mem_buf(certificate_pem->data, (int)certificate_pem->len);
    BIO *key = BIO_new_mem_buf(key_pem->data, (int)key_pem->len);
    SSL_CTX *ctx = context(TLS_server_method());
    int r;

    *out = NULL;
    if (!certificate || !key || !ctx)
        r = tls_fault(ERR_SYSTEM, "TLS", e);
    else if ((r = use_chain(ctx, certificate, e)) == 0)
        r = use_key(ctx, key, e);
    if (r == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
        *out = ctx;
        ctx = NULL;
    }
    SSL_CTX_free(ctx);
    BIO_free(certificate);
    BIO_free(key);
    return r;
}

int tls_back(const char *ca, SSL_CTX **out, struct err *e)
{
    SSL_CTX *ctx = context(TLS_client_method());

    *out = NULL;
    if (!ctx)
        return tls_fault(ERR_SYSTEM, "TLS", e);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if ((*ca ? SSL_CTX_load_verify_file(ctx, ca) : SSL_CTX_set_default_verify_paths(ctx)) != 1) {
        SSL_CTX_free(ctx);
        return tls_fault(ERR_USAGE, "backend_ca", e);
    }
    *out = ctx;
    return 0;
}

int tls_back_new(SSL_CTX *ctx, const char *name, SSL **out, struct err *e)
{
    unsigned char address[16];
    int ok, number = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    SSL *ssl = SSL_new(ctx);

    *out = NULL;
    ok = ssl != NULL;
    if (ok && number)
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    else if (ok)
        ok = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    if (!ok) {
        SSL_free(ssl);
        return tls_fault(ERR_SYSTEM, "TLS", e);
    }
    *out = ssl;
    return 0;
}
