/* What passes: after login both ways, octet for octet but for lists of capabilities and a few commands; before it the
 * backend's answers. */
#include <string.h>

#include "login.h"
#include "session.h"
#include "xrecrypt.h"

/* A run of octets that goes on as it is, written in one piece. */
struct run {
    struct stream *to;
    const unsigned char *data;
    size_t from;
};

static void flush(struct run *r, size_t to)
{
    if (to > r->from)
        stream_write(r->to, r->data + r->from, to - r->from);
    r->from = to;
}

/* ---- answers ---- */

static int relay_continuation(struct session *s)
{
    if (s->hold == HOLD_LITERAL) {
        imap_read_literal(&s->from_client, s->literal);
        s->hold = HOLD_NONE;
    } else if (s->hold == HOLD_IDLE) {
        s->idling = 1;
        s->hold = HOLD_NONE;
    }
    return 1;
}

static void relay_tagged(struct session *s, const struct imap_reply *reply)
{
    /* A line that is no answer at all ends no command. */
    if (!reply->tag.len || !(imap_is(reply->word, "OK") || imap_is(reply->word, "NO") || imap_is(reply->word, "BAD")))
        return;
    if (s->outstanding)
        s->outstanding--;
    if (s->outstanding)
        return;
    /* The last command is over, whatever more of it the backend could have asked for. */
    s->idling = 0;
    if (s->hold == HOLD_LITERAL || s->hold == HOLD_IDLE) {
        s->hold = HOLD_NONE;
        s->mid_command = 0;
        s->command_len = 0;
    }
}

static void rewrite(struct session *s, struct span text, struct span list, struct buf *out)
{
    struct imap_front front = session_front(s);
    const unsigned char *behind = list.data + list.len;

    if (buf_append(out, text.data, (size_t)(list.data - text.data)) < 0 ||
        imap_capability_list(list, &front, out) < 0 ||
        buf_append(out, behind, (size_t)(text.data + text.len - behind)) < 0 || buf_puts(out, "\r\n") < 0)
        session_drop(s, "out of memory");
}

/* The first line, or first piece of a long one, of an answer. 1 = it goes on as it is. */
static int answer_begins(struct session *s, struct span text, int whole, struct run *r, size_t at)
{
    struct imap_reply reply;
    struct buf line = BUF_INIT;
    struct span list;
    int pass = 1;

    /* Nearly everything there is: messages. */
    if (text.len > 2 && text.data[0] == '*' && text.data[2] >= '0' && text.data[2] <= '9')
        return 1;
    imap_reply(text, &reply);
    if (s->phase == PHASE_LOGIN && reply.kind >= IMAP_CONTINUATION) {
        flush(r, at);
        pass = reply.kind == IMAP_TAGGED ? login_tagged(s, &reply) : login_continuation(s);
    } else if (reply.kind == IMAP_CONTINUATION) {
        pass = relay_continuation(s);
    } else if (reply.kind == IMAP_TAGGED) {
        relay_tagged(s, &reply);
    }
    if (!pass || s->phase == PHASE_ENDING || !imap_capability_find(text, &list))
        return pass;
    flush(r, at);
    if (whole)
        rewrite(s, text, list, &line);
    else
        session_drop(s, "a list of capabilities without end");
    stream_write(&s->client, line.data, line.len);
    buf_free(&line);
    return 0;
}

/* Does a literal follow the line? Text for people is not searched for one. */
static int literal_follows(const struct session *s, struct span text, struct imap_literal *lit)
{
    struct imap_reply reply;

    if (!s->mid_answer) {
        imap_reply(text, &reply);
        if (reply.kind == IMAP_CONTINUATION)
            return 0;
        if (reply.kind != IMAP_UNTAGGED)
            return imap_status_literal(text, lit);
    }
    return imap_server_literal(text, lit);
}

/* Notes where the answer ends. Pieces of a literal change nothing. */
static void note_end(struct session *s, int piece, struct span text)
{
    struct imap_literal lit;
    int more = 1;

    if (piece == IMAP_LITERAL)
        return;
    if (piece == IMAP_LAST)
        text = imap_text(s->from_backend.tail, s->from_backend.tail_len);
    if (piece != IMAP_PART) {
        more = text.len && text.data[text.len - 1] == '}' && literal_follows(s, text, &lit);
        if (more)
            imap_read_literal(&s->from_backend, lit.octets);
    }
    s->mid_answer = (unsigned)more;
}

/* One piece of what the backend sends. 1 = it goes on as it is. */
static int answer_piece(struct session *s, int piece, struct span data, struct run *r, size_t at)
{
    struct span text = piece == IMAP_LINE ? imap_text(data.data, data.len) : data;
    int pass = 1;

    if (s->taking)
        flush(r, at);
    else if (!s->mid_answer && piece != IMAP_LAST)
        pass = answer_begins(s, text, piece == IMAP_LINE, r, at);
    note_end(s, piece, text);
    if (!s->taking)
        return pass;
    xrecrypt_piece(s, data);
    s->taking = s->mid_answer;
    return 0;
}

size_t relay_backend(struct session *s, const unsigned char *data, size_t len)
{
    struct run r = {&s->client, data, 0};
    size_t at = 0, used;

    while (at < len && !s->dead && s->phase != PHASE_ENDING) {
        int piece = imap_read(&s->from_backend, data + at, len - at, &used);
        struct span one = {data + at, used};

        if (piece == IMAP_MORE)
            break;
        if (s->xrecrypt && !s->mid_answer && (piece == IMAP_LINE || piece == IMAP_PART))
            s->taking = (unsigned)xrecrypt_takes(s, imap_text(one.data, one.len));
        if (s->backend_held)
            break;
        if (!answer_piece(s, piece, one, &r, at))
            r.from = at + used;
        at += used;
        if (s->replies.len && !s->mid_answer) {
            flush(&r, at);
            session_flush_replies(s);
        }
    }
    flush(&r, at);
    return s->phase == PHASE_ENDING ? len : at;
}

/* ---- commands ---- */

/* What does not go on, with its answer. 1 = answered. */
static int own_command(struct session *s, const struct imap_command *c)
{
    static const struct {
        const char *name, *answer;
    } refused[] = {{"COMPRESS", "NO [CANNOT] Not through this filter"},
                   {"UNAUTHENTICATE", "NO [CANNOT] Not through this filter"},
                   {"X-UNAUTHENTICATE", "NO [CANNOT] Not through this filter"},
                   {"STARTTLS", "BAD Not after login"},
                   {"LOGIN", "BAD Somebody has logged in"},
                   {"AUTHENTICATE", "BAD Somebody has logged in"}};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (imap_is(c->name, refused[i].name)) {
            session_reply(s, "%.*s %s\r\n", (int)c->tag.len, (const char *)c->tag.data, refused[i].answer);
            return 1;
        }
    return 0;
}

/* A command's first line. 1 = it goes on to the backend. */
static int command_begins(struct session *s, struct span text, int literal, struct run *r, size_t at)
{
    struct imap_command c;
    int bad = imap_client_check(text) < 0 || imap_command(text, &c) < 0;

    if (bad && !imap_client_check(text) && c.tag.len)
        session_reply(s, "%.*s BAD Not a command\r\n", (int)c.tag.len, (const char *)c.tag.data);
    else if (bad)
        session_reply(s, "* BAD Not a command\r\n");
    if (bad || own_command(s, &c))
        return 0;
    if (imap_is(c.name, "UID") && imap_is(c.uid_name, "XRECRYPT")) {
        flush(r, at);
        xrecrypt_command(s, &c, literal);
        return 0;
    }
    s->outstanding++;
    if (!literal && imap_is(c.name, "IDLE"))
        s->hold = HOLD_IDLE;
    return 1;
}

/* A literal was announced. */
static void expect_literal(struct session *s, const struct imap_literal *lit)
{
    if (lit->waits && s->skip_command) {
        s->skip_command = 0; /* it has its answer, and the client has not sent more */
        s->command_len = 0;
    } else if (lit->waits) {
        s->mid_command = 1;
        s->hold = HOLD_LITERAL;
        s->literal = lit->octets;
    } else if (!s->skip_command && !(s->backend_can & IMAP_CAP_LITERAL)) {
        session_end(s, "The IMAP server takes no literals of this kind");
    } else {
        s->mid_command = !s->skip_command;
        imap_read_literal(&s->from_client, lit->octets);
    }
}

/* 1 = the line goes on. */
static int command_line(struct session *s, struct span text, struct run *r, size_t at)
{
    struct imap_literal lit;
    int announced, first = !s->mid_command && !s->skip_command;

    if (s->idling) {
        s->idling = 0;
        return 1;
    }
    announced = imap_client_literal(text, &lit);
    s->command_len += text.len;
    if (announced < 0 || (!first && imap_client_check(text) < 0) || s->command_len > IMAP_LINE_MAX) {
        session_end(s, announced < 0 ? "Malformed literal" : "Malformed or too long a command");
        return 0;
    }
    if (first && !command_begins(s, text, announced, r, at))
        s->skip_command = 1;
    if (announced && !s->dead) {
        expect_literal(s, &lit);
        return !s->skip_command && s->mid_command;
    }
    first = s->skip_command;
    s->skip_command = s->mid_command = 0;
    s->command_len = 0;
    return !first;
}

size_t relay_client(struct session *s, const unsigned char *data, size_t len)
{
    struct run r = {&s->backend, data, 0};
    size_t at = 0, used;

    while (at < len && !s->dead && s->phase == PHASE_RELAY && s->hold == HOLD_NONE) {
        int piece = imap_read(&s->from_client, data + at, len - at, &used), pass = 0;
        struct span text;

        if (piece == IMAP_MORE)
            break;
        if (piece < 0) {
            session_end(s, "Line too long");
            break;
        }
        text = imap_text(data + at, used);
        if (piece == IMAP_LITERAL)
            pass = !s->skip_command;
        else
            pass = command_line(s, text, &r, at);
        if (!pass)
            flush(&r, at);
        /* A bare LF ends a line for some and not for others. */
        if (pass && piece == IMAP_LINE && used - text.len != 2) {
            flush(&r, at + text.len);
            stream_write(&s->backend, "\r\n", 2);
            pass = 0;
        }
        at += used;
        if (!pass)
            r.from = at;
    }
    if (s->phase == PHASE_RELAY)
        flush(&r, at);
    return s->phase == PHASE_ENDING ? len : at;
}
