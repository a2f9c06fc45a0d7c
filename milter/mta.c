#include "mta.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/udf.h"

enum { SLICE = 1 << 20 };

void *mta_private(SMFICTX *ctx)
{
    return smfi_getpriv(ctx);
}

int mta_set_private(SMFICTX *ctx, void *p)
{
    return smfi_setpriv(ctx, p) == MI_SUCCESS ? 0 : ERR_SYSTEM;
}

void mta_want_macros(SMFICTX *ctx, int stage, const char *names)
{
    (void)smfi_setsymlist(ctx, stage, (char *)(uintptr_t)names);
}

const char *mta_macro(const struct mta *m, const char *name)
{
    return smfi_getsymval(m->ctx, (char *)(uintptr_t)name);
}

/* Mail servers take "%%" for "%" (Sendmail's replies are formats). */
static void escape(const char *from, char to[2 * MTA_LINE_MAX])
{
    size_t n = 0;

    for (; *from && n < 2 * MTA_LINE_MAX - 2; from++) {
        to[n++] = (unsigned char)*from < 0x20 || (unsigned char)*from > 0x7e ? '?' : *from;
        if (*from == '%')
            to[n++] = '%';
    }
    to[n] = 0;
}

int mta_reply(const struct mta *m, const char *code, const char *status, const char *const *lines, size_t count)
{
    char text[MTA_REPLY_LINES][2 * MTA_LINE_MAX], *l[MTA_REPLY_LINES] = {NULL};

    if (!count || count > MTA_REPLY_LINES)
        return ERR_SYSTEM;
    for (size_t i = 0; i < count; i++) {
        escape(lines[i], text[i]);
        l[i] = text[i];
    }
    /* The first NULL ends the list. */
    return smfi_setmlreply(m->ctx, code, status, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], NULL) == MI_SUCCESS
               ? 0
               : ERR_SYSTEM;
}

/* The protocol has lines end in LF inside a value. */
static int value_text(const struct mta *m, const char *value, struct buf *out)
{
    int r = m->leading_space ? buf_puts(out, " ") : 0;

    for (; !r && *value; value++)
        if (!(value[0] == '\r' && value[1] == '\n'))
            r = buf_append(out, value, 1);
    return r;
}

int mta_add_header(const struct mta *m, const char *name, const char *value)
{
    struct buf text = BUF_INIT;
    int r = value_text(m, value, &text);

    if (!r && smfi_addheader(m->ctx, (char *)(uintptr_t)name, (char *)text.data) != MI_SUCCESS)
        r = ERR_SYSTEM;
    buf_free(&text);
    return r;
}

int mta_change_header(const struct mta *m, const char *name, int nth, const char *value)
{
    struct buf text = BUF_INIT;
    int r = value_text(m, value, &text);

    if (!r && smfi_chgheader(m->ctx, (char *)(uintptr_t)name, nth, (char *)text.data) != MI_SUCCESS)
        r = ERR_SYSTEM;
    buf_free(&text);
    return r;
}

int mta_delete_header(const struct mta *m, const char *name, int nth)
{
    return smfi_chgheader(m->ctx, (char *)(uintptr_t)name, nth, NULL) == MI_SUCCESS ? 0 : ERR_SYSTEM;
}

int mta_replace_body(const struct mta *m, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len) {
        size_t n = len < SLICE ? len : SLICE;

        if (smfi_replacebody(m->ctx, (unsigned char *)(uintptr_t)p, (int)n) != MI_SUCCESS)
            return ERR_SYSTEM;
        p += n;
        len -= n;
    }
    return 0;
}

static int bracketed(const char *address, char out[ADDRESS_SIZE + 2])
{
    return snprintf(out, ADDRESS_SIZE + 2, "<%s>", address) < ADDRESS_SIZE + 2 ? 0 : ERR_SYSTEM;
}

int mta_change_sender(const struct mta *m, const char *address)
{
    char text[ADDRESS_SIZE + 2];

    if (bracketed(address, text) < 0 || smfi_chgfrom(m->ctx, text, NULL) != MI_SUCCESS)
        return ERR_SYSTEM;
    return 0;
}

int mta_add_recipient(const struct mta *m, const char *address)
{
    char text[ADDRESS_SIZE + 2];

    if (bracketed(address, text) < 0 || smfi_addrcpt(m->ctx, text) != MI_SUCCESS)
        return ERR_SYSTEM;
    return 0;
}

int mta_delete_recipient(const struct mta *m, const char *given)
{
    return smfi_delrcpt(m->ctx, (char *)(uintptr_t)given) == MI_SUCCESS ? 0 : ERR_SYSTEM;
}
