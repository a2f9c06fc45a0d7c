/* buf.h - a growable run of octets with a hard cap; wiped when freed. */
#ifndef RECRYPT_BUF_H
#define RECRYPT_BUF_H

#include <stddef.h>

struct err;

struct buf {
    unsigned char *data; /* NULL while empty; always followed by a NUL octet that len does not count */
    size_t len;
    size_t size; /* octets allocated */
    size_t max;  /* len never passes this; 0 = BUF_MAX_DEFAULT */
};

#define BUF_MAX_DEFAULT ((size_t)256 << 20)
#define BUF_INIT {NULL, 0, 0, 0}

/* Each returns 0, ERR_LIMIT (past max) or ERR_SYSTEM (no memory); on failure the content is as before. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_reserve(struct buf *b, size_t more); /* room for more octets after len */

/* The content as a C string; "" while empty. Valid until the next change. */
const char *buf_str(const struct buf *b);

/* Shortens the content to len octets, which must not be more than there are; what is cut off is wiped. */
void buf_cut(struct buf *b, size_t len);

/* Forgets the content, keeps the memory (wiped). */
void buf_reset(struct buf *b);

/* Wipes and frees; b may be used again. */
void buf_free(struct buf *b);

/* Memory for secrets: zeroed on allocation, wiped on free. secret_free(NULL, 0) is fine. */
void *secret_alloc(size_t len);
void secret_free(void *p, size_t len);
void secret_wipe(void *p, size_t len);
/* Wipes the part of the stack that functions called before have used: where one of a library's leaves a secret
 * there. */
void secret_wipe_stack(void);
/* From now on OpenSSL wipes all memory that it gives back: of some private values it leaves copies there (P-256's
 * scalars, what EVP_PKEY_get_raw_private_key exports). ERR_SYSTEM when it has memory already: this comes first in a
 * program. */
int secret_openssl(void);
/* How many allocations OpenSSL was denied in this thread, behind secret_openssl. Some of its functions say "no" to what
 * they had no memory to look at; that this rose meanwhile tells. */
unsigned long secret_openssl_denied(void);
/* r; but when that judges a value (ERR_KEY, ERR_CRYPTO) and OpenSSL was denied memory since it was asked for denied, it
 * is no judgement: ERR_SYSTEM. */
int secret_openssl_judged(int r, unsigned long denied, const char *what, struct err *e);

#endif
