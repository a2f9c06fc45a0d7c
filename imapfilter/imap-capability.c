#include "imap-capability.h"

#include <string.h>

#include "imap-line.h"

static const char *const mechanisms[] = {"PLAIN",          "LOGIN",         "CRAM-MD5",      "SCRAM-SHA-1",
                                         "SCRAM-SHA-224",  "SCRAM-SHA-256", "SCRAM-SHA-384", "SCRAM-SHA-512",
                                         "SCRAM-SHA3-512", "OAUTHBEARER",   "XOAUTH2",       NULL};

int imap_mechanism(struct span name)
{
    for (const char *const *m = mechanisms; *m; m++)
        if (imap_is(name, *m))
            return 1;
    return 0;
}

/* The next word of a list; 0 = none left. */
static int next(struct imap_cursor *c, struct span *word)
{
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    *word = imap_run(c, "");
    return word->len > 0;
}

unsigned imap_capabilities(struct span list)
{
    struct imap_cursor c = imap_cursor(list);
    struct span w;
    unsigned found = 0;

    while (next(&c, &w)) {
        if (imap_is(w, "STARTTLS"))
            found |= IMAP_CAP_STARTTLS;
        else if (imap_is(w, "LOGINDISABLED"))
            found |= IMAP_CAP_LOGINDISABLED;
        else if (imap_is(w, "ID"))
            found |= IMAP_CAP_ID;
        else if (imap_is(w, "LITERAL+") || imap_is(w, "LITERAL-") || imap_is(w, "IMAP4rev2"))
            found |= IMAP_CAP_LITERAL;
    }
    return found;
}

static int passes(struct span w, const struct imap_front *front, int may_login)
{
    static const char *const ours[] = {"STARTTLS",         "LOGINDISABLED", "UNAUTHENTICATE",
                                       "X-UNAUTHENTICATE", "XRECRYPT",      NULL};

    for (const char *const *o = ours; *o; o++)
        if (imap_is(w, *o))
            return 0;
    if (imap_begins(w, "COMPRESS="))
        return 0;
    if (imap_begins(w, "AUTH="))
        return !front->logged_in && may_login && imap_mechanism((struct span){w.data + 5, w.len - 5});
    if (imap_is(w, "SASL-IR"))
        return !front->logged_in && may_login;
    return 1;
}

static int put(struct buf *out, size_t start, struct span w)
{
    int r = out->len > start ? buf_append(out, " ", 1) : 0;

    return r ? r : buf_append(out, w.data, w.len);
}

static int put_word(struct buf *out, size_t start, const char *word)
{
    return put(out, start, (struct span){(const unsigned char *)word, strlen(word)});
}

int imap_capability_list(struct span list, const struct imap_front *front, struct buf *out)
{
    struct imap_cursor c = imap_cursor(list);
    int may_login = front->may_login && !(imap_capabilities(list) & IMAP_CAP_LOGINDISABLED), r = 0;
    size_t start = out->len;
    struct span w;

    while (r == 0 && next(&c, &w))
        if (passes(w, front, may_login))
            r = put(out, start, w);
    if (r == 0 && front->logged_in)
        r = put_word(out, start, "XRECRYPT");
    if (r == 0 && !front->logged_in && front->starttls)
        r = put_word(out, start, "STARTTLS");
    if (r == 0 && !front->logged_in && !may_login)
        r = put_word(out, start, "LOGINDISABLED");
    if (r < 0)
        buf_cut(out, start);
    return r;
}

int imap_capability_find(struct span text, struct span *list)
{
    struct imap_reply reply;
    const unsigned char *end;

    imap_reply(text, &reply);
    *list = (struct span){NULL, 0};
    if (reply.kind == IMAP_UNTAGGED && !reply.number && imap_is(reply.word, "CAPABILITY")) {
        *list = reply.rest;
        return 1;
    }
    if (reply.kind != IMAP_STATUS && reply.kind != IMAP_TAGGED)
        return 0;
    if (!imap_begins(reply.rest, "[CAPABILITY ") || !(end = memchr(reply.rest.data, ']', reply.rest.len)))
        return 0;
    list->data = reply.rest.data + strlen("[CAPABILITY ");
    list->len = (size_t)(end - list->data);
    return 1;
}
