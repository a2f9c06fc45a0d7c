#include "web.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/frame.h"
#include "common/jws.h"
#include "common/sjson.h"

enum { NONCE_SIZE = 257 };

struct web {
    CURL *curl;
    struct buf url;
    char *ca;
    int guessed;
    struct web_record record;
    char nonce[NONCE_SIZE];
    char curl_error[CURL_ERROR_SIZE];
    struct buf reply;
};

int web_this_machine(const char *host, size_t len)
{
    if (len == 9 && strncasecmp(host, "localhost", len) == 0)
        return 1;
    if (len == 5 && strncmp(host, "[::1]", len) == 0)
        return 1;
    if (len < 4 || strncmp(host, "127.", 4) != 0)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)host[i]) && host[i] != '.')
            return 0;
    return 1;
}

int web_url(const char *text, struct buf *out, struct err *e)
{
    size_t before = out->len, scheme, host_len, authority;
    const char *host;
    int plain;

    for (const char *s = text; *s; s++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f || strchr("?#@\\\"<>", *s))
            return err_set(e, ERR_USAGE, "%s: not the URL of a service (no user, query or fragment)", text);
    plain = strncasecmp(text, "http://", 7) == 0;
    if (!plain && strncasecmp(text, "https://", 8) != 0)
        return err_set(e, ERR_USAGE, "%s: a service's URL begins with https://", text);
    scheme = plain ? 7 : 8;
    host = text + scheme;
    authority = strcspn(host, "/");
    host_len = host[0] == '[' ? strcspn(host, "]/") + 1 : strcspn(host, ":/");
    if (host_len == 0 || host_len > authority)
        return err_set(e, ERR_USAGE, "%s: no host in this URL", text);
    if (plain && !web_this_machine(host, host_len))
        return err_set(e, ERR_USAGE, "%s: http is for a service on this machine only; use https://", text);
    if (buf_puts(out, text) < 0)
        return err_errno(e, "out of memory");
    if (host[authority] == 0 || strcmp(host + authority, "/") == 0) {
        out->len = before + scheme + authority;
        out->data[out->len] = 0;
        if (buf_puts(out, WEB_PATH) < 0)
            return err_errno(e, "out of memory");
    }
    return 0;
}

int web_request(const char *url, const char *name, struct json_object *body, const struct jwk *signer,
                const char *nonce, struct buf *out, struct err *e)
{
    struct json_object *request = json_object_new_object(), *header = json_object_new_object();
    struct buf text = BUF_INIT;
    char member[64];
    int r;

    snprintf(member, sizeof member, "%sRequest", name);
    if (!request || !header || sjson_set_object(request, member, json_object_get(body)) < 0 ||
        sjson_write(request, &text) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if (!signer) {
        r = buf_append(out, text.data, text.len) < 0 ? err_errno(e, "out of memory") : 0;
        goto out;
    }
    if (sjson_set_string(header, "nonce", nonce) < 0 || sjson_set_string(header, "url", url) < 0 ||
        sjson_set_int(header, "iat", (int64_t)time(NULL)) < 0)
        r = err_errno(e, "out of memory");
    else
        r = jws_sign_flattened(signer, header, text.data, text.len, out, e);
out:
    buf_free(&text);
    json_object_put(request);
    json_object_put(header);
    return r;
}

int web_reply(const char *name, const void *text, size_t len, struct json_object **reply, struct err *e)
{
    static const struct sjson_limits limits = {WEB_REPLY_MAX, 16, 1 << 18};
    struct json_object *all = NULL, *inner = NULL;
    const char *why;
    char member[64];
    int64_t status;
    int r;

    *reply = NULL;
    snprintf(member, sizeof member, "%sResponse", name);
    if (sjson_parse(text, len, &limits, &all, NULL) < 0 || sjson_object(all, member, &inner, NULL) < 0 ||
        sjson_int(inner, "Status", &status, NULL) < 0 || sjson_string(inner, "StatusDescription", &why, NULL) < 0) {
        r = err_set(e, ERR_RETRY, "what answered there is no recryption service");
        goto out;
    }
    if (status != 201 && status != 202) {
        r = frame_status_error(status);
        r = err_set(e, r < 0 ? r : ERR_RETRY, "%s", why); /* no other success is known here */
        goto out;
    }
    *reply = json_object_get(inner);
    r = 0;
out:
    json_object_put(all);
    return r;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct web *w = arg;

    return buf_append(&w->reply, data, size * n) < 0 ? 0 : size * n;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    static const char name[] = "Replay-Nonce:";
    struct web *w = arg;
    size_t len = size * n, at = sizeof name - 1, used = 0;

    if (len < at || strncasecmp(data, name, at) != 0)
        return len;
    while (at < len && data[at] == ' ')
        at++;
    /* RFC 8555 section 6.5.1: a nonce of other octets than base64url's is not used. */
    for (; at < len && (isalnum((unsigned char)data[at]) || data[at] == '-' || data[at] == '_'); at++)
        if (used < sizeof w->nonce - 1)
            w->nonce[used++] = data[at];
    w->nonce[used] = 0;
    return len;
}

int web_new(const char *url, const char *ca, struct web **out, struct err *e)
{
    static int started;
    struct web *w;
    int r;

    *out = NULL;
    if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_SYSTEM, "cannot start libcurl");
    started = 1;
    if (!(w = calloc(1, sizeof *w)))
        return err_errno(e, "out of memory");
    w->reply.max = WEB_REPLY_MAX;
    if ((r = web_url(url, &w->url, e)) == 0 && (!(w->curl = curl_easy_init()) || (ca && !(w->ca = strdup(ca)))))
        r = err_set(e, ERR_SYSTEM, "out of memory");
    if (r < 0)
        web_free(&w);
    *out = w;
    return r;
}

void web_free(struct web **w)
{
    if (!*w)
        return;
    if ((*w)->curl)
        curl_easy_cleanup((*w)->curl);
    buf_free(&(*w)->url);
    buf_free(&(*w)->reply);
    free((*w)->ca);
    free(*w);
    *w = NULL;
}

void web_guessed(struct web *w)
{
    w->guessed = 1;
}

const struct web_record *web_record(const struct web *w)
{
    return &w->record;
}

const char *web_where(const struct web *w)
{
    return buf_str(&w->url);
}

/* Requests after which a service is as before, however often they reach it. */
static int only_reads(const char *name)
{
    static const char *const names[] = {"Hello", "GetKey", "Get", "Select", "RecryptData", "Statement", NULL};

    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* Every option is set at each call: a handle that is used again must not keep the last request's body. */
static int set_options(struct web *w, const char *name, const struct buf *request, struct curl_slist *headers)
{
    CURL *c = w->curl;
    int plain = strncasecmp(buf_str(&w->url), "http://", 7) == 0;
    CURLcode bad = CURLE_OK;

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (bad == CURLE_OK)                                                                                           \
            bad = curl_easy_setopt(c, option, value);                                                                  \
    } while (0)
    SET(CURLOPT_URL, buf_str(&w->url));
    SET(CURLOPT_ERRORBUFFER, w->curl_error);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(plain ? CURLPROTO_HTTP : CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    /* On a connection that is used again, libcurl sends a request a second time when the other side has closed it:
     * whether a change was made must not be left to that. */
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_FRESH_CONNECT, only_reads(name) ? 0L : 1L);
    SET(CURLOPT_CONNECTTIMEOUT, (long)WEB_CONNECT_SECONDS);
    SET(CURLOPT_TIMEOUT, (long)WEB_SECONDS);
    SET(CURLOPT_MAXFILESIZE, (long)WEB_REPLY_MAX);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, (const char *)request->data);
    SET(CURLOPT_POSTFIELDSIZE, (long)request->len);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, w);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, w);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (plain)
        SET(CURLOPT_PROXY, "");
    if (w->ca)
        SET(CURLOPT_CAINFO, w->ca);
#undef SET
    return bad == CURLE_OK ? 0 : -1;
}

static CURLcode perform(struct web *w)
{
    struct timespec began, now;
    CURLcode done;

    clock_gettime(CLOCK_MONOTONIC, &began);
    done = curl_easy_perform(w->curl);
    clock_gettime(CLOCK_MONOTONIC, &now);
    w->record.slow |= now.tv_sec - began.tv_sec >= WEB_SLOW_SECONDS;
    w->record.answers += done == CURLE_OK;
    w->record.failures = done == CURLE_OK ? 0 : w->record.failures + 1;
    return done;
}

static int post(struct web *w, const char *name, const struct buf *request, int is_signed, struct json_object **reply,
                struct err *e)
{
    const char *guess = w->guessed ? " (the default, as recrypt.conf names no service for that domain)" : "";
    struct curl_slist *headers = NULL, *more;
    CURLcode done;
    int r;

    buf_reset(&w->reply);
    w->nonce[0] = w->curl_error[0] = 0;
    headers =
        curl_slist_append(NULL, is_signed ? "Content-Type: application/jose+json" : "Content-Type: application/json");
    /* No "Expect: 100-continue": it costs a round trip and some servers never answer it. */
    if (!headers || !(more = curl_slist_append(headers, "Expect:")) || set_options(w, name, request, more) < 0) {
        r = err_set(e, ERR_SYSTEM, "cannot prepare a request to %s", web_where(w));
        goto out;
    }
    done = perform(w);
    if (done != CURLE_OK) {
        r = err_set(e, ERR_RETRY, "%s%s: %s", web_where(w), guess,
                    w->curl_error[0] ? w->curl_error : curl_easy_strerror(done));
        goto out;
    }
    if ((r = web_reply(name, w->reply.data, w->reply.len, reply, e)) == ERR_RETRY)
        err_prefix(e, "%s%s", web_where(w), guess);
out:
    curl_slist_free_all(headers);
    return r;
}

/* A nonce costs one Hello; later answers bring their own. */
static int fetch_nonce(struct web *w, struct err *e)
{
    struct json_object *body = json_object_new_object(), *reply = NULL;
    struct buf request = BUF_INIT;
    int r;

    if ((r = web_request(buf_str(&w->url), "Hello", body, NULL, NULL, &request, e)) == 0 &&
        (r = post(w, "Hello", &request, 0, &reply, e)) == 0 && w->nonce[0] == 0)
        r = err_set(e, ERR_RETRY, "%s: the service sent no nonce", web_where(w));
    json_object_put(body);
    json_object_put(reply);
    buf_free(&request);
    return r;
}

int web_call(struct web *w, const char *name, struct json_object *body, const struct jwk *signer,
             struct json_object **reply, struct err *e)
{
    struct buf request = BUF_INIT;
    struct err local;
    int r = 0;

    *reply = NULL;
    if (!e)
        e = &local;
    for (int attempt = 0; attempt < 2; attempt++) {
        buf_reset(&request);
        if (signer && w->nonce[0] == 0 && (r = fetch_nonce(w, e)) < 0)
            break;
        if ((r = web_request(buf_str(&w->url), name, body, signer, w->nonce, &request, e)) < 0)
            break;
        r = post(w, name, &request, signer != NULL, reply, e);
        if (r != ERR_DENIED || !signer || strcmp(e->text, "nonce") != 0)
            break;
    }
    buf_free(&request);
    return r;
}
