#include "xrecrypt.h"

void xrecrypt_command(struct session *s, const struct imap_command *c, int literal)
{
    (void)literal;
    session_reply(s, "%.*s NO [UNAVAILABLE] No grants here\r\n", (int)c->tag.len, (const char *)c->tag.data);
}

void xrecrypt_start(struct session *s)
{
    s->hold = HOLD_NONE;
}

int xrecrypt_runs(const struct session *s)
{
    return s->xrecrypt != NULL;
}

size_t xrecrypt_backend(struct session *s, const unsigned char *data, size_t len)
{
    (void)s;
    (void)data;
    return len;
}

void xrecrypt_free(struct session *s)
{
    s->xrecrypt = NULL;
}
