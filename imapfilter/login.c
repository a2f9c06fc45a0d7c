/* Commands before login. Each is read whole, understood, and sent on in the form in which it was understood, literals
 * waited for; the next one is not looked at before it is answered. So filter and backend cannot be made to see
 * different commands, and who logged in is who the filter thinks it was. */
#include "login.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "imap-who.h"

enum { COMMAND_MAX = 32 << 10, FAULTS_MAX = 20 };

int login_begin(struct session *s)
{
    s->login = calloc(1, sizeof *s->login);
    if (!s->login)
        return ERR_SYSTEM;
    s->login->command.max = 2 * IMAP_LINE_MAX;
    return 0;
}

void login_free(struct session *s)
{
    struct login *l = s->login;

    if (!l)
        return;
    buf_free(&l->greeting);
    buf_free(&l->capabilities);
    buf_free(&l->command);
    buf_free(&l->user);
    free(l);
    s->login = NULL;
}

static void next_command(struct session *s)
{
    struct login *l = s->login;

    buf_free(&l->command);
    buf_free(&l->user);
    l->sent = 0;
    l->responses = 0;
    l->unmapped = 0;
    l->what = WHAT_OTHER;
    l->state = LOGIN_COMMAND;
    s->mid_command = 0;
    s->command_len = 0;
}

static void refuse(struct session *s, const char *status, const char *why)
{
    session_reply(s, "%s %s %s\r\n", *s->login->tag ? s->login->tag : "*", *s->login->tag ? status : "BAD", why);
    if (++s->login->faults > FAULTS_MAX)
        session_end(s, "Too many faults");
    next_command(s);
}

/* ---- to the backend ---- */

/* Goes on with the command, up to the end of a line behind which the backend has to ask for a literal. */
static void send_more(struct session *s)
{
    struct login *l = s->login;
    struct imap_literal lit;
    size_t used;

    while (l->sent < l->command.len) {
        const unsigned char *at = l->command.data + l->sent;
        int piece = imap_read(&l->sender, at, l->command.len - l->sent, &used);
        struct span text;

        l->sent += used;
        if (piece == IMAP_LITERAL) {
            stream_write(&s->backend, at, used);
            continue;
        }
        text = imap_text(at, used);
        if (imap_client_literal(text, &lit) != 1) {
            stream_write(&s->backend, at, used);
            continue;
        }
        imap_read_literal(&l->sender, lit.octets);
        stream_write(&s->backend, text.data, text.len - (lit.waits ? 1 : 2));
        stream_write(&s->backend, "}\r\n", 3);
        return;
    }
}

static void forward(struct session *s)
{
    s->login->state = LOGIN_ANSWER;
    s->login->sent = 0;
    memset(&s->login->sender, 0, sizeof s->login->sender);
    send_more(s);
}

/* ---- commands ---- */

static void do_login(struct session *s, const struct imap_command *c)
{
    struct imap_front front = session_front(s);
    int r;

    if (!front.may_login) {
        refuse(s, "NO", "[PRIVACYREQUIRED] Not without TLS");
        return;
    }
    r = imap_login_user(c->rest, &s->login->user);
    if (r < 0) {
        refuse(s, "BAD", "LOGIN takes a name and a password");
        return;
    }
    s->login->what = WHAT_LOGIN;
    forward(s);
}

/* The first response names the user, where one knows how. */
static void response(struct session *s, struct span base64)
{
    struct login *l = s->login;
    int r = 0;

    l->responses++;
    if (l->what == WHAT_PLAIN)
        r = l->responses == 1 ? imap_plain_user(base64, &l->user) : ERR_DENIED;
    else if (l->what == WHAT_SASL_LOGIN)
        r = l->responses == 1 ? imap_base64(base64, &l->user) : l->responses > 2 ? ERR_DENIED : 0;
    if (r < 0)
        l->unmapped = 1;
}

static void do_authenticate(struct session *s, const struct imap_command *c)
{
    struct imap_front front = session_front(s);
    struct imap_cursor at = imap_cursor(c->rest);
    struct span mechanism, initial;

    if (!front.may_login) {
        refuse(s, "NO", "[PRIVACYREQUIRED] Not without TLS");
        return;
    }
    if (imap_octet(&at, ' ') < 0 || imap_atom(&at, &mechanism) < 0 || (at.at < at.end && imap_octet(&at, ' ') < 0)) {
        refuse(s, "BAD", "AUTHENTICATE takes a mechanism");
        return;
    }
    initial = imap_run(&at, "");
    if (imap_end(&at) < 0) {
        refuse(s, "BAD", "AUTHENTICATE takes a mechanism and one response");
        return;
    }
    if (!imap_mechanism(mechanism)) {
        refuse(s, "NO", "[CANNOT] This mechanism cannot pass here");
        return;
    }
    s->login->what = imap_is(mechanism, "PLAIN")   ? WHAT_PLAIN
                     : imap_is(mechanism, "LOGIN") ? WHAT_SASL_LOGIN
                                                   : WHAT_SASL_OTHER;
    if (initial.len)
        response(s, initial.len == 1 && initial.data[0] == '=' ? (struct span){initial.data, 0} : initial);
    forward(s);
}

static void do_id(struct session *s, const struct imap_command *c)
{
    struct buf text = BUF_INIT;
    int r = buf_printf(&text, "%s ID", s->login->tag);

    r = r ? r : imap_id(c->rest, &text);
    r = r ? r : buf_puts(&text, "\r\n");
    if (r < 0) {
        buf_free(&text);
        refuse(s, "BAD", "ID takes NIL, or pairs of strings");
        return;
    }
    buf_free(&s->login->command);
    s->login->command = text;
    forward(s);
}

static void do_starttls(struct session *s, const struct imap_command *c)
{
    struct imap_front front = session_front(s);

    if (c->rest.len) {
        refuse(s, "BAD", "STARTTLS takes no argument");
    } else if (!front.starttls) {
        refuse(s, "BAD", s->secure ? "TLS is there already" : "No TLS here");
    } else {
        session_reply(s, "%s OK Begin TLS now\r\n", s->login->tag);
        s->login->state = LOGIN_STARTTLS;
    }
}

static void do_simple(struct session *s, const struct imap_command *c)
{
    if (c->rest.len)
        refuse(s, "BAD", "It takes no argument");
    else
        forward(s);
}

static void run(struct session *s)
{
    static const struct {
        const char *name;
        void (*run)(struct session *, const struct imap_command *);
    } table[] = {{"LOGIN", do_login},       {"AUTHENTICATE", do_authenticate},
                 {"CAPABILITY", do_simple}, {"NOOP", do_simple},
                 {"LOGOUT", do_simple},     {"ID", do_id},
                 {"STARTTLS", do_starttls}};
    struct login *l = s->login;
    struct imap_command c;
    int r = imap_command((struct span){l->command.data, l->command.len - 2}, &c);

    *l->tag = 0;
    if (c.tag.len) {
        memcpy(l->tag, c.tag.data, c.tag.len);
        l->tag[c.tag.len] = 0;
    }
    for (size_t i = 0; r == 0 && i < sizeof table / sizeof *table; i++)
        if (imap_is(c.name, table[i].name)) {
            table[i].run(s, &c);
            return;
        }
    refuse(s, "BAD", r < 0 ? "Not a command" : "Not before login");
}

/* ---- what the client sends ---- */

/* A command's line; another literal may follow. */
static void command_line(struct session *s, struct span text)
{
    struct login *l = s->login;
    struct imap_literal lit;
    int r = imap_client_literal(text, &lit);

    if (r < 0 || imap_client_check(text) < 0) {
        session_end(s, "Malformed command");
        return;
    }
    if (l->command.len + text.len > COMMAND_MAX || lit.octets > COMMAND_MAX - l->command.len - text.len) {
        session_end(s, "Command too long");
        return;
    }
    if (buf_append(&l->command, text.data, text.len) < 0 || buf_puts(&l->command, "\r\n") < 0) {
        session_drop(s, "out of memory");
        return;
    }
    if (r == 0) {
        run(s);
        return;
    }
    imap_read_literal(&s->from_client, lit.octets);
    if (lit.waits)
        session_reply(s, "+ go on\r\n");
}

static void sasl_line(struct session *s, struct span text)
{
    struct login *l = s->login;

    if (imap_client_check(text) < 0) {
        session_end(s, "Malformed response");
        return;
    }
    response(s, text);
    l->state = LOGIN_ANSWER;
    stream_write(&s->backend, text.data, text.len);
    stream_write(&s->backend, "\r\n", 2);
}

static int takes(const struct session *s)
{
    return s->phase == PHASE_LOGIN && !s->dead && (s->login->state == LOGIN_COMMAND || s->login->state == LOGIN_SASL);
}

size_t login_client(struct session *s, const unsigned char *data, size_t len)
{
    size_t at = 0, used;

    while (takes(s) && at < len) {
        int piece = imap_read(&s->from_client, data + at, len - at, &used);

        if (piece == IMAP_MORE)
            break;
        if (piece < 0)
            session_end(s, "Line too long");
        else if (piece == IMAP_LITERAL && buf_append(&s->login->command, data + at, used) < 0)
            session_drop(s, "out of memory");
        else if (piece == IMAP_LINE && s->login->state == LOGIN_SASL)
            sasl_line(s, imap_text(data + at, used));
        else if (piece == IMAP_LINE)
            command_line(s, imap_text(data + at, used));
        at += used;
    }
    if (s->phase != PHASE_LOGIN)
        return len;
    if (s->login->state == LOGIN_STARTTLS) {
        /* Octets that came before TLS and are acted upon behind it would be those of whoever sits between. */
        if (at < len)
            session_drop(s, "octets behind STARTTLS");
        else
            login_client_drained(s);
    }
    return at;
}

/* ---- TLS ---- */

void login_client_drained(struct session *s)
{
    struct err e;
    SSL *ssl;

    if (s->login->state != LOGIN_STARTTLS || s->client.ssl || stream_waiting(&s->client))
        return;
    if (!s->settings->front || !(ssl = SSL_new(s->settings->front)) || stream_secure(&s->client, ssl, 1, &e) < 0)
        session_drop(s, "no TLS");
}

void login_secured(struct session *s)
{
    s->login->faults = 0;
    next_command(s);
}

/* ---- what the backend answers ---- */

int login_continuation(struct session *s)
{
    struct login *l = s->login;

    if (l->state != LOGIN_ANSWER)
        return 0;
    if (l->sent < l->command.len) {
        send_more(s);
        return 0;
    }
    if (l->what < WHAT_PLAIN) {
        session_end(s, "[UNAVAILABLE] The IMAP server asks for what nobody has");
        return 0;
    }
    l->state = LOGIN_SASL;
    return 1;
}

static void find_account(struct session *s)
{
    struct login *l = s->login;
    char account[ADDRESS_SIZE];
    struct err e = {0};
    int r;

    if (l->what == WHAT_SASL_OTHER)
        r = err_set(&e, ERR_DENIED, "the mechanism does not tell who it is");
    else if (l->unmapped)
        r = err_set(&e, ERR_DENIED, "logs in for somebody else, or malformed");
    else
        r = imap_account((struct span){l->user.data, l->user.len}, s->settings->user_domain, account, &e);
    if (r == 0 && !(s->account = strdup(account)))
        session_drop(s, "out of memory");
    log_info("%s: logged in%s%s%s", session_name(s), s->secure ? ", TLS" : "", r ? ", no grants: " : "",
             r ? e.text : "");
}

int login_tagged(struct session *s, const struct imap_reply *reply)
{
    struct login *l = s->login;
    int ok = imap_is(reply->word, "OK");

    if (l->state != LOGIN_ANSWER || !*l->tag || !imap_is(reply->tag, l->tag)) {
        session_end(s, "[UNAVAILABLE] The IMAP server answers what nobody asked");
        return 0;
    }
    if (!ok || l->what == WHAT_OTHER) {
        next_command(s);
        return 1;
    }
    s->phase = PHASE_RELAY;
    find_account(s);
    login_free(s);
    memset(&s->from_client, 0, sizeof s->from_client);
    s->mid_command = 0;
    s->command_len = 0;
    return 1;
}
