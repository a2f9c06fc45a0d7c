/* tls.h - TLS 1.2 and later with OpenSSL, towards clients and towards the backend. */
#ifndef RECRYPT_IMAPFILTER_TLS_H
#define RECRYPT_IMAPFILTER_TLS_H

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/err.h"

/* certificate: the server's and those between it and a root; key: without passphrase. ERR_USAGE, ERR_SYSTEM. */
int tls_front(const struct buf *certificate_pem, const struct buf *key_pem, SSL_CTX **out, struct err *e);
/* ca: a file of roots; "" = the system's. ERR_USAGE, ERR_SYSTEM. */
int tls_back(const char *ca, SSL_CTX **out, struct err *e);
/* A connection to a server whose certificate must be for name (a host name or an address). ERR_SYSTEM. */
int tls_back_new(SSL_CTX *ctx, const char *name, SSL **out, struct err *e);

#endif
