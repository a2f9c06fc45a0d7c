/* jcd-private.h - the cryptography that writing (jcd.c) and reading (jcd-read.c) of controlled documents share. */
#ifndef RECRYPT_JCD_PRIVATE_H
#define RECRYPT_JCD_PRIVATE_H

#include <openssl/evp.h>

#include "jcd.h"

struct jcd_cipher {
    EVP_CIPHER_CTX *gcm;
    EVP_MAC_CTX *mac;     /* over the protected header's text and all tags */
    struct buf protected; /* base64url text: every chunk's AAD */
    uint64_t count;       /* chunks so far */
    uint64_t octets;      /* of plaintext so far */
    size_t chunk;
};

/* What the header's text says: its protected text, and the chunk size that stands in it. */
int jcd_header_read(const struct buf *text, struct buf *protected, size_t *chunk, struct err *e);

/* c is zeroed but for protected and chunk, which are set. */
int jcd_cipher_start(struct jcd_cipher *c, const unsigned char key[JCD_KEY_LEN], struct err *e);
/* One chunk; seal: out gets len octets of ciphertext and the tag; open: len counts the tag, out gets len - JCD_TAG_LEN
 * octets. ERR_CRYPTO when it does not verify: out then holds nothing. */
int jcd_chunk_seal(struct jcd_cipher *c, const unsigned char *in, size_t len, int last, unsigned char *out,
                   struct err *e);
int jcd_chunk_open(struct jcd_cipher *c, const unsigned char *in, size_t len, int last, unsigned char *out,
                   struct err *e);
/* The trailer's MAC; ends c's use. */
int jcd_cipher_mac(struct jcd_cipher *c, unsigned char mac[32], struct err *e);
void jcd_cipher_clear(struct jcd_cipher *c);

#endif
