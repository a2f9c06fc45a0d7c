#include "session.h"

#include <stdlib.h>
#include <string.h>

struct session *session_new(void)
{
    struct session *s = calloc(1, sizeof *s);

    if (s && (!(s->conf = settings_acquire()) ||
              frame_client_new(s->conf->recryptd, s->conf->timeout_ms, &s->client, NULL) < 0))
        session_free(&s);
    return s;
}

void session_free(struct session **s)
{
    if (!*s)
        return;
    session_end(*s);
    frame_client_free(&(*s)->client);
    settings_release(&(*s)->conf);
    free(*s);
    *s = NULL;
}

int session_begin(struct session *s, const char *sender)
{
    session_end(s);
    if (!(s->msg = calloc(1, sizeof *s->msg)))
        return ERR_SYSTEM;
    s->msg->null_sender = !strcmp(sender, "<>") || !*sender;
    s->msg->header.max = MIME_HEADER_MAX;
    return 0;
}

void session_end(struct session *s)
{
    struct message *m = s->msg;

    if (!m)
        return;
    for (size_t i = 0; i < m->taken_count; i++)
        free(m->taken[i].given);
    free(m->taken);
    buf_free(&m->header);
    buf_free(&m->text);
    free(m);
    s->msg = NULL;
}

int message_wants_text(const struct message *m)
{
    return m->route == ROUTE_LIST || m->route == ROUTE_SEAL || m->route == ROUTE_REFUSE;
}

int message_wants_end(const struct message *m)
{
    return message_wants_text(m) || m->taken_count;
}

int message_take(struct message *m, const char *given, const char *owner)
{
    struct taken *t;

    if (m->taken_count >= MESSAGE_ADDRESSES_MAX)
        return ERR_LIMIT;
    if (!(t = realloc(m->taken, (m->taken_count + 1) * sizeof *t)))
        return ERR_SYSTEM;
    m->taken = t;
    t += m->taken_count;
    memset(t, 0, sizeof *t);
    if (!(t->given = strdup(given)))
        return ERR_SYSTEM;
    if (owner)
        strncpy(t->owner, owner, sizeof t->owner - 1);
    m->taken_count++;
    return 0;
}

static void fault(struct message *m, enum fault f)
{
    if (!m->fault)
        m->fault = f;
}

/* Mail servers hand over a folded value with its lines ended by LF alone: the wire had CRLF. */
static int put_value(struct message *m, const char *v)
{
    int r = 0;

    for (const char *end; !r && *v; v = end) {
        size_t n = strcspn(v, "\r\n");

        end = v + n;
        r = buf_append(&m->header, v, n);
        if (r || !*end)
            break;
        if (end[0] == '\r' && end[1] == '\n')
            end++;
        if (*end == '\r' && m->route == ROUTE_LIST)
            fault(m, FAULT_OCTETS);
        if (*end == '\n' && end[1] != ' ' && end[1] != '\t')
            fault(m, FAULT_HEADER);
        r = *end == '\r' ? buf_append(&m->header, "\r", 1) : buf_append(&m->header, "\r\n", 2);
        end++;
    }
    return r;
}

void message_add_field(struct message *m, const char *name, const char *value, int leading_space, size_t limit)
{
    int r;

    if (m->fault == FAULT_MEMORY || m->fault == FAULT_SIZE)
        return;
    if (++m->fields > MIME_FIELDS_MAX) {
        fault(m, FAULT_HEADER);
        return;
    }
    if ((r = buf_puts(&m->header, name)) || (r = buf_puts(&m->header, leading_space || !*value ? ":" : ": ")) ||
        (r = put_value(m, value)) || (r = buf_puts(&m->header, "\r\n")))
        fault(m, r == ERR_LIMIT ? FAULT_HEADER : FAULT_MEMORY);
    else if (m->header.len > limit)
        fault(m, FAULT_SIZE);
}

/* Every CR is followed by LF, every LF follows a CR, no NUL; also across the pieces that the body comes in. */
static int octets_ok(struct message *m, const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((p[i] == '\n') != m->cr || !p[i])
            return 0;
        m->cr = p[i] == '\r';
    }
    return 1;
}

static int begin_body(struct message *m)
{
    int r;

    if (m->body_at)
        return 0;
    if ((r = buf_append(&m->text, m->header.data, m->header.len)) || (r = buf_puts(&m->text, "\r\n")))
        return r;
    m->body_at = m->text.len;
    return 0;
}

void message_add_body(struct message *m, const void *data, size_t len, size_t limit)
{
    if (m->fault == FAULT_MEMORY || m->fault == FAULT_SIZE || m->fault == FAULT_HEADER)
        return;
    if (begin_body(m)) {
        fault(m, FAULT_MEMORY);
        return;
    }
    if (len > limit || m->text.len > limit - len)
        fault(m, FAULT_SIZE);
    else if (m->route == ROUTE_LIST && !octets_ok(m, data, len))
        fault(m, FAULT_OCTETS);
    else if (buf_append(&m->text, data, len))
        fault(m, FAULT_MEMORY);
    if (m->fault)
        buf_free(&m->text);
}

void message_complete(struct message *m)
{
    if (m->fault)
        return;
    if (begin_body(m))
        fault(m, FAULT_MEMORY);
    else if (m->cr)
        fault(m, FAULT_OCTETS);
}

struct span message_body(const struct message *m)
{
    struct span body = {m->text.data + m->body_at, m->text.len - m->body_at};

    return body;
}
