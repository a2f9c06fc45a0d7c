#include "fetch-imap.h"

#include <libetpan/libetpan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch-stream.h"
#include "fetch-xrecrypt.h"
#include "imapfilter/imap-set.h"

enum {
    TALK = 64 << 10,       /* octets of an answer that is a few lines */
    LINES_A_MESSAGE = 512, /* octets beside what was asked for, of each message */
    LIST = 11 * FETCH_UIDS_MAX
};

struct fetch_imap {
    const struct fetch_conf *c;
    struct fetch_stream *stream;
    mailimap *session;
};

/* Why a command of libetpan's failed. */
static int failed(const struct fetch_imap *im, int code, const char *doing, struct err *e)
{
    struct err why;

    if (code == MAILIMAP_ERROR_MEMORY)
        return err_set(e, ERR_SYSTEM, "out of memory");
    if (code == MAILIMAP_ERROR_STREAM) {
        fetch_stream_error(im->stream, &why);
        return err_set(e, why.code, "%s: %s", doing, why.text);
    }
    return err_set(e, ERR_RETRY, "%s: the mail server's answer makes no sense%s%s", doing,
                   im->session->imap_response ? ": " : "",
                   im->session->imap_response ? im->session->imap_response : "");
}

/* Sends a line and reads its answer. 1 = OK; 0 = NO, and the server's reason in im->session->imap_response. */
static int command(struct fetch_imap *im, const char *line, const char *doing, struct err *e)
{
    struct mailimap_response *response;
    int r, type;

    if ((r = mailimap_send_current_tag(im->session)) != MAILIMAP_NO_ERROR)
        return failed(im, r, doing, e);
    if (mailstream_write(im->session->imap_stream, line, strlen(line)) < 0 ||
        mailstream_write(im->session->imap_stream, "\r\n", 2) < 0 || mailstream_flush(im->session->imap_stream) < 0 ||
        !mailimap_read_line(im->session))
        return failed(im, MAILIMAP_ERROR_STREAM, doing, e);
    if ((r = mailimap_parse_response(im->session, &response)) != MAILIMAP_NO_ERROR)
        return failed(im, r, doing, e);
    type = response->rsp_resp_done->rsp_data.rsp_tagged->rsp_cond_state->rsp_type;
    mailimap_response_free(response);
    return type == MAILIMAP_RESP_COND_STATE_OK;
}

static const char *reason(const struct fetch_imap *im)
{
    return im->session->imap_response ? im->session->imap_response : "";
}

/* As mailimap_has_extension, which does not survive an empty list. */
static int has(const struct fetch_imap *im, const char *name)
{
    const struct mailimap_connection_info *info = im->session->imap_connection_info;
    clist *list = info && info->imap_capability ? info->imap_capability->cap_list : NULL;

    for (clistiter *i = list ? clist_begin(list) : NULL; i; i = clist_next(i)) {
        const struct mailimap_capability *cap = clist_content(i);

        if (cap->cap_type == MAILIMAP_CAPABILITY_NAME && cap->cap_data.cap_name &&
            strcasecmp(cap->cap_data.cap_name, name) == 0)
            return 1;
    }
    return 0;
}

/* ---- beginning and end ---- */

static int starttls(struct fetch_imap *im, struct err *e)
{
    int r = command(im, "STARTTLS", "STARTTLS", e);

    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DENIED, "%s has no TLS: %s", im->c->host, reason(im));
    return fetch_stream_starttls(im->stream, e);
}

static int log_in(struct fetch_imap *im, struct err *e)
{
    struct buf password = BUF_INIT;
    int r;

    if ((r = command(im, "CAPABILITY", "capabilities", e)) < 0)
        return r;
    if (has(im, "LOGINDISABLED"))
        return err_set(e, ERR_DENIED, "%s takes no password on this connection", im->c->host);
    if ((r = fetch_password(im->c, &password, e)) < 0)
        goto out;
    for (size_t i = 0; i < password.len; i++)
        if (password.data[i] < 0x20 || password.data[i] == 0x7f) {
            r = err_set(e, ERR_USAGE, "the password has a control character in it");
            goto out;
        }
    fetch_stream_expect(im->stream, 0, TALK); /* its time begins now, and not when the password was asked for */
    r = mailimap_login(im->session, im->c->user, buf_str(&password));
    secret_wipe(im->session->imap_stream->write_buffer, im->session->imap_stream->buffer_max_size);
    if (r == MAILIMAP_ERROR_LOGIN)
        r = err_set(e, ERR_DENIED, "%s does not let %s in: %s", im->c->host, im->c->user, reason(im));
    else if (r != MAILIMAP_NO_ERROR)
        r = failed(im, r, "login", e);
out:
    buf_free(&password);
    return r;
}

static int greet(struct fetch_imap *im, mailstream *stream, struct err *e)
{
    int r = mailimap_connect(im->session, stream);
    int known = r == MAILIMAP_NO_ERROR_AUTHENTICATED;

    if (!known && r != MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
        return failed(im, r, im->c->host, e);
    if (im->c->tls == FETCH_STARTTLS && known)
        return err_set(e, ERR_DENIED, "%s begins without TLS what must not be read on its way", im->c->host);
    fetch_stream_expect(im->stream, 0, TALK);
    if (im->c->tls == FETCH_STARTTLS && (r = starttls(im, e)) < 0)
        return r;
    fetch_stream_expect(im->stream, 0, TALK);
    if (!known && (r = log_in(im, e)) < 0)
        return r;
    fetch_stream_expect(im->stream, 0, TALK);
    return (r = command(im, "CAPABILITY", "capabilities", e)) < 0 ? r : 0;
}

int fetch_imap_open(const struct fetch_conf *c, struct fetch_imap **out, struct err *e)
{
    struct fetch_imap *im = calloc(1, sizeof *im);
    mailstream *stream;
    int r;

    *out = NULL;
    if (!im)
        return err_errno(e, "out of memory");
    im->c = c;
    /* Without this libetpan puts what is large into a file in /tmp. */
    mmap_string_set_ceil((size_t)-1);
    if (fetch_xrecrypt_register() < 0 || !(im->session = mailimap_new(0, NULL)))
        r = err_errno(e, "out of memory");
    else if ((r = fetch_stream_open(c, &im->stream, &stream, e)) == 0)
        r = greet(im, stream, e);
    if (r < 0)
        fetch_imap_close(&im);
    *out = im;
    return r;
}

void fetch_imap_close(struct fetch_imap **im)
{
    mailimap *session = *im ? (*im)->session : NULL;

    if (!*im)
        return;
    if (session && session->imap_stream) {
        /* LOGOUT needs no answer; libetpan would wait for one. */
        if (mailimap_send_current_tag(session) == MAILIMAP_NO_ERROR &&
            mailstream_write(session->imap_stream, "LOGOUT\r\n", 8) >= 0)
            mailstream_flush(session->imap_stream);
        mailstream_close(session->imap_stream);
        session->imap_stream = NULL;
    }
    if (session)
        mailimap_free(session);
    free(*im);
    *im = NULL;
}

int fetch_imap_has_grants(const struct fetch_imap *im)
{
    return has(im, "XRECRYPT");
}

/* ---- the mailbox ---- */

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The answer to SEARCH, sorted, each once. */
static int take_uids(clist *list, uint32_t **uids, size_t *count, struct err *e)
{
    size_t n = list ? (size_t)clist_count(list) : 0, used = 0;

    if (!(*uids = calloc(n + 1, sizeof **uids)))
        return err_errno(e, "out of memory");
    for (clistiter *i = n ? clist_begin(list) : NULL; i; i = clist_next(i))
        (*uids)[used++] = *(uint32_t *)clist_content(i);
    qsort(*uids, used, sizeof **uids, by_uid);
    for (size_t i = 0; i < used; i++)
        if ((*uids)[i] != 0 && (*count == 0 || (*uids)[i] != (*uids)[*count - 1]))
            (*uids)[(*count)++] = (*uids)[i];
    return 0;
}

int fetch_imap_list(struct fetch_imap *im, uint32_t *validity, uint32_t **uids, size_t *count, struct err *e)
{
    clist **found;
    int r;

    *uids = NULL;
    *count = 0;
    fetch_stream_expect(im->stream, 0, TALK);
    if ((r = mailimap_examine(im->session, im->c->mailbox)) == MAILIMAP_ERROR_EXAMINE)
        return err_set(e, ERR_ABSENT, "mailbox %s: %s", im->c->mailbox, reason(im));
    if (r != MAILIMAP_NO_ERROR)
        return failed(im, r, "mailbox", e);
    *validity = im->session->imap_selection_info ? im->session->imap_selection_info->sel_uidvalidity : 0;
    if (*validity == 0)
        return err_set(e, ERR_UNSUPPORTED, "this mail server gives its messages no lasting numbers (UIDVALIDITY)");
    fetch_stream_expect(im->stream, 0, LIST);
    if ((r = command(im, "UID SEARCH ALL", "search", e)) < 0)
        return r;
    if (r == 0 || !im->session->imap_response_info)
        return err_set(e, ERR_RETRY, "the mail server does not list the mailbox: %s", reason(im));
    found = &im->session->imap_response_info->rsp_search_result;
    r = take_uids(*found, uids, count, e);
    if (*found)
        mailimap_search_result_free(*found);
    *found = NULL;
    return r;
}

/* ---- messages ---- */

static int append_set(const uint32_t *uids, size_t count, struct buf *out, struct err *e)
{
    struct imap_set set = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = imap_set_add(&set, uids[i]);
    if (r == 0)
        r = imap_set_take(&set, count, out, NULL);
    imap_set_clear(&set);
    return r < 0 ? err_set(e, r, "out of memory") : 0;
}

/* One message's part of an answer. */
static void take_attributes(const struct mailimap_msg_att *message, struct fetch_item *out)
{
    *out = (struct fetch_item){0, 0, {NULL, 0}};
    for (clistiter *i = clist_begin(message->att_list); i; i = clist_next(i)) {
        const struct mailimap_msg_att_item *item = clist_content(i);
        const struct mailimap_msg_att_static *att = item->att_data.att_static;
        const struct mailimap_msg_att_body_section *body;
        struct span json = fetch_xrecrypt_item(item);

        if (json.data)
            out->data = json;
        if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC)
            continue;
        if (att->att_type == MAILIMAP_MSG_ATT_UID)
            out->uid = att->att_data.att_uid;
        else if (att->att_type == MAILIMAP_MSG_ATT_RFC822_SIZE)
            out->size = att->att_data.att_rfc822_size;
        else if (att->att_type == MAILIMAP_MSG_ATT_BODY_SECTION && (body = att->att_data.att_body_section) &&
                 !body->sec_section && body->sec_body_part)
            out->data = (struct span){(const unsigned char *)body->sec_body_part, body->sec_length};
    }
}

static int by_item(const void *key, const void *item)
{
    return by_uid(key, &((const struct fetch_item *)item)->uid);
}

/* Each UID's first data counts; what was not asked for does not. */
static int take_answer(struct fetch_imap *im, const uint32_t *uids, size_t count, struct fetch_answer *out,
                       struct err *e)
{
    struct mailimap_response_info *info = im->session->imap_response_info;
    struct fetch_item got, *place;

    if (!(out->at = calloc(count + 1, sizeof *out->at)))
        return err_errno(e, "out of memory");
    out->count = count;
    for (size_t i = 0; i < count; i++)
        out->at[i].uid = uids[i];
    if (!info || !info->rsp_fetch_list)
        return 0;
    out->list = info->rsp_fetch_list;
    info->rsp_fetch_list = NULL;
    for (clistiter *i = clist_begin((clist *)out->list); i; i = clist_next(i)) {
        take_attributes(clist_content(i), &got);
        place = bsearch(&got.uid, out->at, count, sizeof *out->at, by_item);
        if (place && got.size && !place->size)
            place->size = got.size;
        if (place && got.data.data && !place->data.data)
            place->data = got.data;
    }
    return 0;
}

void fetch_answer_clear(struct fetch_answer *a)
{
    if (a->list)
        mailimap_fetch_list_free(a->list);
    free(a->at);
    *a = (struct fetch_answer){NULL, 0, NULL};
}

/* "before SET after": 1, 0 as command. */
static int ask(struct fetch_imap *im, const char *before, const uint32_t *uids, size_t count, const char *after,
               struct fetch_answer *out, struct err *e)
{
    struct buf line = BUF_INIT, set = BUF_INIT;
    int r, answered;

    *out = (struct fetch_answer){NULL, 0, NULL};
    if ((answered = append_set(uids, count, &set, e)) == 0 &&
        buf_printf(&line, "%s%s%s", before, buf_str(&set), after) < 0)
        answered = err_errno(e, "out of memory");
    if (answered == 0)
        answered = command(im, buf_str(&line), "fetch", e);
    buf_free(&line);
    buf_free(&set);
    if (answered < 0)
        return answered;
    if ((r = take_answer(im, uids, count, out, e)) < 0) {
        fetch_answer_clear(out);
        return r;
    }
    return answered;
}

int fetch_imap_sizes(struct fetch_imap *im, const uint32_t *uids, size_t count, struct fetch_answer *out, struct err *e)
{
    int r;

    fetch_stream_expect(im->stream, 0, TALK + count * LINES_A_MESSAGE);
    r = ask(im, "UID FETCH ", uids, count, " (UID RFC822.SIZE)", out, e);
    return r < 0 ? r : 0;
}

int fetch_imap_messages(struct fetch_imap *im, const uint32_t *uids, size_t count, size_t octets,
                        struct fetch_answer *out, struct err *e)
{
    size_t most = 2 * octets + TALK; /* some servers count a line end as one octet, and send it as two */
    int r;

    fetch_stream_expect(im->stream, most, TALK + count * LINES_A_MESSAGE + most);
    /* NO when one of them went away, and the others come all the same. */
    r = ask(im, "UID FETCH ", uids, count, " (UID BODY.PEEK[])", out, e);
    return r < 0 ? r : 0;
}

int fetch_imap_grants(struct fetch_imap *im, const uint32_t *uids, size_t count, const char *device,
                      struct fetch_answer *out, char why[256], struct err *e)
{
    char after[128];
    int r;

    why[0] = 0;
    snprintf(after, sizeof after, " %s", device);
    fetch_stream_expect(im->stream, FETCH_GRANTS_MAX, TALK + count * (LINES_A_MESSAGE + (size_t)FETCH_GRANTS_MAX));
    if ((r = ask(im, "UID XRECRYPT ", uids, count, after, out, e)) < 0)
        return r;
    if (r == 0) {
        snprintf(why, 256, "%s", *reason(im) ? reason(im) : "no reason given");
        err_printable(why);
    }
    return 0;
}
