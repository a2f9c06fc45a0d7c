#include "xrecrypt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "grants.h"
#include "imap-set.h"
#include "imap-who.h"

enum {
    HEADER_OCTETS = 16 << 10,
    PART_OCTETS = 64 << 10,
    LARGE_OCTETS = 4 << 20, /* of the few whose first piece did not tell */
    LARGE_AT_ONCE = 4,      /* in all sessions */
    ASKED_MAX = 2,          /* chunks that are with recryptd: one to work on, one to go on with */
    ANSWER_SPARE = 64 << 10 /* what else may stand in one answer */
};

enum step {
    STEP_WAIT,   /* for the answers to earlier commands */
    STEP_SEARCH, /* which messages there are */
    STEP_FETCH,
    STEP_PAUSE /* nothing is with the backend */
};
enum taken { TAKEN_TAGGED, TAKEN_SEARCH, TAKEN_FETCH };

/* A chunk that is with recryptd, or has its answer and waits to be told. */
struct asked {
    struct session *session;
    struct grants *grants;
    struct link_call *call;
};

struct xrecrypt {
    char tag[IMAP_TAG_MAX + 1];
    char device[JWK_UDF_SIZE];
    char own_tag[24];
    enum step step;
    enum taken taken;
    int barrier;   /* the backend is held until what is there has been told */
    int one_large; /* the message being fetched is one of large */
    char *text;    /* the set as it was written; NULL: left has it */
    struct imap_set left, large;
    struct imap_search search;
    size_t skip; /* octets of the SEARCH answer before its numbers */
    uint64_t beyond;
    struct buf answer;
    struct grants *filling;         /* the chunk that comes from the backend */
    struct asked *asked[ASKED_MAX]; /* those before it, in order; NULL behind the last */
    size_t matched, encrypted;
    char failure[300]; /* "" = none so far */
};

/* The first failure counts. */
static void fail(struct xrecrypt *x, const char *code, const char *why)
{
    if (!*x->failure)
        snprintf(x->failure, sizeof x->failure, "[%s] %s", code, why);
}

static void fail_error(struct xrecrypt *x, const struct err *e)
{
    if (e->code == ERR_ABSENT || e->code == ERR_DENIED) {
        fail(x, "NOPERM", "Not a device of yours");
        return;
    }
    log_warn("grants: %s", e->text);
    fail(x, "UNAVAILABLE", "No grants at present, try again later");
}

static void asked_free(struct asked **a)
{
    if (!*a)
        return;
    link_cancel(&(*a)->call);
    grants_free(&(*a)->grants);
    free(*a);
    *a = NULL;
}

void xrecrypt_free(struct session *s)
{
    struct xrecrypt *x = s->xrecrypt;

    if (!x)
        return;
    for (size_t i = 0; i < ASKED_MAX; i++)
        asked_free(&x->asked[i]);
    s->filter->large -= (unsigned)x->one_large;
    imap_set_clear(&x->left);
    imap_set_clear(&x->large);
    buf_free(&x->answer);
    grants_free(&x->filling);
    free(x->text);
    free(x);
    s->xrecrypt = NULL;
    s->taking = 0;
    s->backend_held = 0;
}

/* ---- the command ---- */

static void refuse(struct session *s, const struct imap_command *c, const char *answer)
{
    session_reply(s, "%.*s %s\r\n", (int)c->tag.len, (const char *)c->tag.data, answer);
}

/* The two arguments; 0, or -1 when it has been refused. */
static int read_arguments(struct session *s, const struct imap_command *c, struct xrecrypt *x)
{
    struct imap_cursor at = imap_cursor(c->rest);
    struct span set, device;
    struct err e = {0};
    int r = imap_octet(&at, ' ');

    if (r == 0) {
        set = imap_run(&at, "");
        r = set.len ? imap_octet(&at, ' ') : ERR_SYNTAX;
    }
    if (r < 0 || imap_atom(&at, &device) < 0 || imap_end(&at) < 0) {
        refuse(s, c, "BAD UID XRECRYPT takes a set of messages and a device's key id");
        return -1;
    }
    if ((r = imap_set_parse(set, &x->left, &e)) < 0) {
        refuse(s, c, r == ERR_SYSTEM ? "NO [UNAVAILABLE] Out of memory" : "NO [CANNOT] Malformed set of messages");
        return -1;
    }
    if (imap_device(device, x->device) < 0) {
        refuse(s, c, "NO [CANNOT] Malformed key id of a device");
        return -1;
    }
    if ((x->left.star || x->left.numbers > GRANTS_MESSAGES_MAX) &&
        !(x->text = strndup((const char *)set.data, set.len))) {
        refuse(s, c, "NO [UNAVAILABLE] Out of memory");
        return -1;
    }
    return 0;
}

void xrecrypt_command(struct session *s, const struct imap_command *c, int literal)
{
    struct xrecrypt *x;

    if (literal) {
        refuse(s, c, "BAD UID XRECRYPT takes no literal");
        return;
    }
    if (!s->account) {
        refuse(s, c, "NO [NOPERM] This login is nobody's who could have devices here");
        return;
    }
    if (!(x = s->xrecrypt = calloc(1, sizeof *x))) {
        refuse(s, c, "NO [UNAVAILABLE] Out of memory");
        return;
    }
    memcpy(x->tag, c->tag.data, c->tag.len);
    if (read_arguments(s, c, x) < 0)
        xrecrypt_free(s);
    else
        s->hold = HOLD_XRECRYPT;
}

/* ---- to the backend ---- */

static void send_search(struct session *s, struct xrecrypt *x)
{
    session_tag(s, x->own_tag);
    session_to_backend(s, "%s UID SEARCH UID %s\r\n", x->own_tag, x->text);
    imap_set_clear(&x->left);
    x->step = STEP_SEARCH;
}

/* The next UIDs to fetch, "" when there are none: a chunk, or one of those that are long, of which few may be in
 * memory. */
static void next_set(struct session *s, struct xrecrypt *x, struct buf *out)
{
    size_t max = x->left.numbers ? GRANTS_MESSAGES_MAX : 1;
    int busy = !x->left.numbers && x->large.numbers && s->filter->large >= LARGE_AT_ONCE;

    if (busy)
        fail(x, "UNAVAILABLE", "Too many long messages at once, try again later");
    else if (imap_set_take(x->left.numbers ? &x->left : &x->large, max, out, NULL) < 0)
        fail(x, "UNAVAILABLE", "Out of memory");
}

/* 1 = messages are asked for, 0 = there are no more, or something went wrong. */
static int send_fetch(struct session *s, struct xrecrypt *x)
{
    struct buf set = BUF_INIT;
    int large = !x->left.numbers, some;

    next_set(s, x, &set);
    some = set.len > 0 && !*x->failure;
    if (some) {
        x->one_large = large;
        s->filter->large += (unsigned)large;
        session_tag(s, x->own_tag);
        session_to_backend(
            s,
            "%s UID FETCH %s (UID BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE CONTENT-TRANSFER-ENCODING)]<0.%d> "
            "BODY.PEEK[1.MIME]<0.%d> BODY.PEEK[1]<0.%d>)\r\n",
            x->own_tag, buf_str(&set), HEADER_OCTETS, HEADER_OCTETS, large ? LARGE_OCTETS : PART_OCTETS);
        x->step = STEP_FETCH;
    }
    buf_free(&set);
    return some;
}

/* ---- from the backend ---- */

static int filled(const struct xrecrypt *x)
{
    return x->filling && x->filling->message_count;
}

static int untold(const struct xrecrypt *x)
{
    return x->asked[0] || filled(x);
}

int xrecrypt_takes(struct session *s, struct span text)
{
    struct xrecrypt *x = s->xrecrypt;
    struct imap_reply reply;

    imap_reply(text, &reply);
    if (reply.kind == IMAP_TAGGED && reply.tag.len && imap_is(reply.tag, x->own_tag)) {
        x->taken = TAKEN_TAGGED;
        return 1;
    }
    if (reply.kind != IMAP_UNTAGGED)
        return 0;
    if (x->step == STEP_SEARCH && !reply.number && imap_is(reply.word, "SEARCH")) {
        x->taken = TAKEN_SEARCH;
        memset(&x->search, 0, sizeof x->search);
        x->skip = (size_t)(reply.word.data + reply.word.len - text.data);
        return 1;
    }
    if (x->step == STEP_FETCH && reply.number && imap_is(reply.word, "FETCH")) {
        x->taken = TAKEN_FETCH;
        return 1;
    }
    if (untold(x) && (imap_is(reply.word, "EXPUNGE") || imap_is(reply.word, "VANISHED")))
        x->barrier = s->backend_held = 1;
    return 0;
}

static void take_search(struct session *s, struct xrecrypt *x, struct span data)
{
    size_t max = s->settings->max_messages;
    int r =
        imap_search_feed(&x->search, (struct span){data.data + x->skip, data.len - x->skip}, max, &x->left, &x->beyond);

    x->skip = 0;
    if (r == 0 && !s->mid_answer)
        r = imap_search_end(&x->search, max, &x->left, &x->beyond);
    if (r < 0)
        fail(x, "UNAVAILABLE", "The IMAP server's list of messages is not understood");
}

/* A fetched message joins its chunk. */
static void add_message(struct xrecrypt *x, const struct imap_fetch *f, const struct buf *others)
{
    enum grants_cut cut = f->part.len < (x->one_large ? LARGE_OCTETS : PART_OCTETS) ? GRANTS_WHOLE
                          : x->one_large                                            ? GRANTS_CUT
                                                                                    : GRANTS_CUT_MORE;
    struct err e = {0};
    int r;

    if (!x->filling && !(x->filling = calloc(1, sizeof *x->filling))) {
        fail(x, "UNAVAILABLE", "Out of memory");
        return;
    }
    r = grants_add(x->filling, f, others, cut, &e);
    if (r == ERR_LIMIT) {
        if (imap_set_add(&x->large, f->uid) < 0)
            fail(x, "UNAVAILABLE", "Out of memory");
        return;
    }
    if (r < 0) {
        fail_error(x, &e);
        return;
    }
    x->matched++;
    x->encrypted += r > 0;
}

static void take_fetch(struct session *s, struct xrecrypt *x)
{
    struct span text = imap_text(x->answer.data, x->answer.len);
    struct buf others = BUF_INIT;
    struct imap_fetch f;
    int r = imap_fetch_read(x->answer.data, text.len, &f, &others);

    if (r < 0 || (f.has && !f.uid) || f.has & IMAP_HAS_OTHER)
        fail(x, "UNAVAILABLE", "The IMAP server's answer is not understood");
    else if (!f.has)
        session_send(s, &x->answer); /* news about some message's flags */
    else
        add_message(x, &f, &others);
    buf_free(&others);
}

static void take_tagged(struct session *s, struct xrecrypt *x)
{
    struct imap_reply reply;
    char why[200];
    size_t n;

    imap_reply(imap_text(x->answer.data, x->answer.len), &reply);
    if (!imap_is(reply.word, "OK")) {
        n = reply.rest.len < sizeof why - 1 ? reply.rest.len : sizeof why - 1;
        memcpy(why, reply.rest.data, n);
        why[n] = 0;
        for (char *p = why; *p; p++)
            if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
                *p = '?';
        fail(x, "CANNOT", *why ? why : "The IMAP server refuses");
    } else if (x->beyond) {
        snprintf(why, sizeof why, "More than %zu messages: ask for fewer at a time", s->settings->max_messages);
        fail(x, "LIMIT", why);
    }
    s->filter->large -= (unsigned)x->one_large;
    x->one_large = 0;
    x->step = STEP_PAUSE;
}

static size_t answer_max(const struct xrecrypt *x)
{
    return (size_t)(x->one_large ? LARGE_OCTETS : PART_OCTETS) + 2 * HEADER_OCTETS + ANSWER_SPARE;
}

void xrecrypt_piece(struct session *s, struct span data)
{
    struct xrecrypt *x = s->xrecrypt;

    if (x->taken == TAKEN_SEARCH) {
        take_search(s, x, data);
        return;
    }
    /* A server that sends more than it was asked for may do so for ever. */
    if (x->answer.len + data.len + s->from_backend.literal > answer_max(x) ||
        buf_append(&x->answer, data.data, data.len) < 0) {
        session_end(s, "[UNAVAILABLE] The IMAP server's answer is too long");
        return;
    }
    if (s->mid_answer)
        return;
    if (x->taken == TAKEN_TAGGED)
        take_tagged(s, x);
    else if (!*x->failure) /* after one, only the end is waited for */
        take_fetch(s, x);
    buf_free(&x->answer);
}

/* ---- recryptd ---- */

static void ask(struct xrecrypt *x, struct asked *a);

static void on_answer(void *arg, struct json_object *reply, int code, const struct err *why)
{
    struct asked *a = arg;
    struct session *s = a->session;
    struct xrecrypt *x = s->xrecrypt;
    struct err e = *why;
    int r = code;

    a->call = NULL;
    if (r == 0)
        r = grants_reply(a->grants, reply, &e);
    e.code = r;
    if (r < 0)
        fail_error(x, &e);
    else
        ask(x, a);
    session_settle(s);
}

/* The next request for a chunk, unless all has been asked for. */
static void ask(struct xrecrypt *x, struct asked *a)
{
    const struct session *s = a->session;
    struct json_object *body;
    struct err e = {0};
    int r = grants_request(a->grants, s->account, x->device, &body, &e);

    if (r == 0 && body)
        r = link_call(s->filter->recryptd, "Grants", body, s->settings->timeout, on_answer, a, &a->call, &e);
    json_object_put(body);
    if (r < 0)
        fail_error(x, &e);
}

/* The chunk that was being filled goes to recryptd. */
static void hand_over(struct session *s, struct xrecrypt *x)
{
    size_t i = 0;

    while (x->asked[i])
        i++;
    if (!(x->asked[i] = calloc(1, sizeof *x->asked[i]))) {
        fail(x, "UNAVAILABLE", "Out of memory");
        return;
    }
    x->asked[i]->session = s;
    x->asked[i]->grants = x->filling;
    x->filling = NULL;
    ask(x, x->asked[i]);
}

/* ---- going on ---- */

/* The first chunk's answers go to the client. */
static void tell(struct session *s, struct xrecrypt *x)
{
    struct buf text = BUF_INIT;
    struct err e = {0};

    if (grants_answers(x->asked[0]->grants, &text, &e) < 0)
        fail_error(x, &e);
    else
        session_send(s, &text);
    buf_free(&text);
    asked_free(&x->asked[0]);
    for (size_t i = 1; i < ASKED_MAX; i++)
        x->asked[i - 1] = x->asked[i];
    x->asked[ASKED_MAX - 1] = NULL;
}

static void finish(struct session *s, struct xrecrypt *x)
{
    if (!*x->failure && x->matched && !x->encrypted)
        fail(x, "CANNOT", "None of these messages is encrypted to a key that could be granted");
    if (*x->failure)
        session_reply(s, "%s NO %s\r\n", x->tag, x->failure);
    else
        session_reply(s, "%s OK UID XRECRYPT completed\r\n", x->tag);
    s->hold = HOLD_NONE;
    xrecrypt_free(s);
}

/* Something has gone wrong: what the backend still sends for the command is passed over. */
static int give_up(struct session *s, struct xrecrypt *x)
{
    int held = s->backend_held;

    for (size_t i = 0; i < ASKED_MAX; i++)
        asked_free(&x->asked[i]);
    grants_free(&x->filling);
    x->barrier = s->backend_held = 0;
    if (x->step != STEP_PAUSE)
        return held;
    finish(s, x);
    return 1;
}

/* Chunks go on to recryptd, and from there to the client. */
static void move_on(struct session *s, struct xrecrypt *x)
{
    while (!*x->failure) {
        if (x->asked[0] && !x->asked[0]->call && grants_complete(x->asked[0]->grants))
            tell(s, x);
        else if (!x->asked[ASKED_MAX - 1] && (x->barrier || x->step == STEP_PAUSE) && filled(x))
            hand_over(s, x);
        else
            return;
    }
}

int xrecrypt_goes_on(struct session *s)
{
    struct xrecrypt *x = s->xrecrypt;

    if (!x || s->phase != PHASE_RELAY)
        return 0;
    if (x->step == STEP_WAIT) {
        if (s->outstanding || s->mid_answer)
            return 0;
        x->step = STEP_PAUSE;
        if (x->text)
            send_search(s, x);
    }
    move_on(s, x);
    if (*x->failure)
        return give_up(s, x);
    if (x->barrier && !untold(x)) {
        x->barrier = s->backend_held = 0;
        return 1;
    }
    if (x->step != STEP_PAUSE || filled(x) || stream_waiting(&s->client))
        return 0;
    if (send_fetch(s, x) || *x->failure)
        return *x->failure ? give_up(s, x) : 0;
    if (x->asked[0])
        return 0;
    finish(s, x);
    return 1;
}
