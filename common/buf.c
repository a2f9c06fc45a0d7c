#include "buf.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

void secret_wipe(void *p, size_t len)
{
    if (p)
        OPENSSL_cleanse(p, len);
}

void *secret_alloc(size_t len)
{
    return calloc(1, len ? len : 1);
}

void secret_free(void *p, size_t len)
{
    secret_wipe(p, len);
    free(p);
}

__attribute__((noinline)) void secret_wipe_stack(void)
{
    unsigned char room[8192];

    OPENSSL_cleanse(room, sizeof room);
}

static _Thread_local unsigned long denied;

static void *openssl_alloc(size_t len, const char *file, int line)
{
    void *p = malloc(len);

    (void)file;
    (void)line;
    denied += !p && len;
    return p;
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    secret_free(p, malloc_usable_size(p));
}

static void *openssl_realloc(void *p, size_t len, const char *file, int line)
{
    size_t had = malloc_usable_size(p);
    void *to = openssl_alloc(len, file, line);

    if (to && p) {
        memcpy(to, p, had < len ? had : len);
        openssl_free(p, file, line);
    }
    return to;
}

int secret_openssl(void)
{
    return CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc, openssl_free) == 1 ? 0 : ERR_SYSTEM;
}

unsigned long secret_openssl_denied(void)
{
    return denied;
}

int secret_openssl_judged(int r, unsigned long before, const char *what, struct err *e)
{
    if ((r == ERR_KEY || r == ERR_CRYPTO) && denied != before)
        return err_set(e, ERR_SYSTEM, "%s: no memory", what);
    return r;
}

/* Not realloc: it would leave the old copy behind unwiped. */
int buf_reserve(struct buf *b, size_t more)
{
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT, need, size;
    unsigned char *data;

    if (b->len > max || more > max - b->len)
        return ERR_LIMIT;
    need = b->len + more + 1;
    if (need <= b->size)
        return 0;
    size = b->size ? b->size : 64;
    while (size < need)
        size += size / 2 > need - size ? size / 2 : need - size;
    if (!(data = malloc(size)))
        return ERR_SYSTEM;
    if (b->len)
        memcpy(data, b->data, b->len);
    data[b->len] = 0;
    secret_free(b->data, b->size);
    b->data = data;
    b->size = size;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    int r = buf_reserve(b, len);

    if (r < 0)
        return r;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n, r;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return ERR_SYSTEM;
    if ((r = buf_reserve(b, (size_t)n)) < 0)
        return r;
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return 0;
}

const char *buf_str(const struct buf *b)
{
    return b->data ? (const char *)b->data : "";
}

void buf_cut(struct buf *b, size_t len)
{
    if (len < b->len) {
        secret_wipe(b->data + len, b->len - len);
        b->len = len;
    }
}

void buf_reset(struct buf *b)
{
    secret_wipe(b->data, b->size);
    b->len = 0;
}

void buf_free(struct buf *b)
{
    secret_free(b->data, b->size);
    b->data = NULL;
    b->len = b->size = 0;
}
