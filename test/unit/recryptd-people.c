/* Who talks to recryptd, and how (recryptd-world.h). */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/jws.h"
#include "recryptd-world.h"

void who_sign(struct who *p, const struct who *owner, int64_t epoch)
{
    struct profile next = {.kind = owner ? PROFILE_LIST : PROFILE_PERSON, .epoch = epoch, .issued = time(NULL)};
    struct err e = {0};

    memcpy(next.account, p->address, sizeof next.account);
    memcpy(next.owner, owner ? owner->address : p->address, sizeof next.owner);
    next.key = p->key;
    profile_clear(&p->profile);
    buf_reset(&p->text);
    if (profile_sign(&next, p->sign, &p->text, &e) || profile_read(p->text.data, p->text.len, &p->profile, &e)) {
        printf("# profile of %s: %s\n", p->address, e.text);
        return;
    }
    jwk_set_kid(p->key, p->profile.keyid);
}

void who_make(struct who *p, const char *address, const char *suite)
{
    memset(p, 0, sizeof *p);
    snprintf(p->address, sizeof p->address, "%s", address);
    if (jwk_generate("Ed25519", &p->sign, NULL) || jwk_generate(suite, &p->key, NULL))
        return;
    who_sign(p, NULL, 1);
}

void who_make_list(struct who *l, const char *address, const struct who *owner, const char *suite, int64_t epoch)
{
    struct json_object *copy;

    memset(l, 0, sizeof *l);
    snprintf(l->address, sizeof l->address, "%s", address);
    if (jwk_to_json(owner->sign, 1, &copy, NULL))
        return;
    if (jwk_from_json(copy, &l->sign, NULL) || jwk_generate(suite, &l->key, NULL))
        printf("# keys of %s\n", address);
    else
        who_sign(l, owner, epoch);
    json_object_put(copy);
}

void who_clear(struct who *p)
{
    profile_clear(&p->profile);
    buf_free(&p->text);
    jwk_free(&p->sign);
    jwk_free(&p->key);
}

/* ---- requests ---- */

struct json_object *J(const char *fmt, ...)
{
    struct json_object *obj = NULL;
    char *text = NULL;
    struct err e;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    for (char *c = text; c && *c; c++)
        if (*c == '\'')
            *c = '"';
    if (!text || sjson_parse(text, strlen(text), NULL, &obj, &e))
        printf("# test's own JSON: %s\n", text ? e.text : "");
    free(text);
    return obj;
}

void answer_clear(struct answer *a)
{
    json_object_put(a->all);
    memset(a, 0, sizeof *a);
}

static int read_answer(struct buf *in, struct answer *out)
{
    static const struct sjson_limits limits = {16 << 20, 16, 1 << 20};
    const char *body = strstr(buf_str(in), "\r\n\r\n"), *nonce = strcasestr(buf_str(in), "\r\nReplay-Nonce: ");
    const char *text;

    if (!body || sscanf(buf_str(in), "HTTP/1.1 %d", &out->http) != 1)
        return -1;
    if (nonce && nonce < body)
        sscanf(nonce + 16, "%63[A-Za-z0-9_-]", out->nonce);
    body += 4;
    if (sjson_parse(body, in->len - (size_t)(body - buf_str(in)), &limits, &out->all, NULL))
        return -1;
    json_object_object_foreach(out->all, name, inner)
    {
        snprintf(out->name, sizeof out->name, "%s", name);
        out->body = inner;
    }
    if (sjson_int(out->body, "Status", &out->status, NULL) || sjson_string(out->body, "StatusDescription", &text, NULL))
        return -1;
    snprintf(out->text, sizeof out->text, "%s", text);
    return 0;
}

int world_http(const struct world *w, const char *method, const char *path, const char *type, const void *body,
               size_t len, struct answer *out)
{
    struct buf send_buf = BUF_INIT, in = BUF_INIT;
    char address[64], piece[4096];
    int fd, rc;
    ssize_t n = 0;

    memset(out, 0, sizeof *out);
    snprintf(address, sizeof address, "inet:127.0.0.1:%d", w->port);
    if (conf_connect(address, 2000, &fd, NULL))
        return -1;
    rc = buf_printf(&send_buf, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n", method, path);
    rc = rc || !type ? rc : buf_printf(&send_buf, "Content-Type: %s\r\n", type);
    rc = rc ? rc : buf_printf(&send_buf, "Content-Length: %zu\r\n\r\n", len);
    rc = rc ? rc : buf_append(&send_buf, body, len);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    for (size_t sent = 0; !rc && sent < send_buf.len && n >= 0; sent += (size_t)(n > 0 ? n : 0))
        n = send(fd, send_buf.data + sent, send_buf.len - sent, MSG_NOSIGNAL);
    while (!rc && (n = read(fd, piece, sizeof piece)) > 0)
        rc = buf_append(&in, piece, (size_t)n);
    close(fd);
    rc = rc ? rc : read_answer(&in, out);
    buf_free(&send_buf);
    buf_free(&in);
    return rc;
}

static int sign_request(const struct world *w, const struct jwk *signer, const struct buf *text,
                        const struct spoil *spoil, struct buf *out)
{
    struct json_object *header = json_object_new_object();
    struct answer hello = {0};
    const char *nonce = spoil ? spoil->nonce : NULL;
    int rc = 0;

    if (!nonce) {
        rc = world_http(w, "POST", "/.well-known/meshrecrypt", "application/json", "{\"HelloRequest\":{}}", 19, &hello);
        nonce = hello.nonce;
    }
    rc = rc ? rc : sjson_set_string(header, "nonce", nonce);
    rc = rc ? rc : sjson_set_string(header, "url", spoil && spoil->url ? spoil->url : w->url);
    rc = rc ? rc : sjson_set_int(header, "iat", time(NULL) + (spoil ? spoil->iat_off : 0));
    rc = rc ? rc : jws_sign_flattened(signer, header, text->data, text->len, out, NULL);
    if (!rc && spoil && spoil->flip) {
        char *sig = strstr((char *)out->data, "\"signature\":\"");

        sig[20] = sig[20] == 'A' ? 'B' : 'A';
    }
    json_object_put(header);
    answer_clear(&hello);
    return rc;
}

int world_signed(const struct world *w, const struct jwk *signer, const char *text, struct buf *out)
{
    struct buf b = BUF_INIT;
    int rc = buf_puts(&b, text);

    rc = rc ? rc : sign_request(w, signer, &b, NULL, out);
    buf_free(&b);
    return rc;
}

int world_call(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body,
               const struct spoil *spoil, struct answer *out)
{
    struct json_object *request = json_object_new_object();
    struct buf text = BUF_INIT, signed_text = BUF_INIT;
    char full[64];
    int rc;

    memset(out, 0, sizeof *out);
    snprintf(full, sizeof full, "%sRequest", name);
    rc = sjson_set_object(request, full, body);
    rc = rc ? rc : sjson_write(request, &text);
    if (signer)
        rc = rc ? rc : sign_request(w, signer, &text, spoil, &signed_text);
    rc = rc ? rc
            : world_http(w, "POST", "/.well-known/meshrecrypt", signer ? "application/jose+json" : "application/json",
                         signer ? signed_text.data : text.data, signer ? signed_text.len : text.len, out);
    json_object_put(request);
    buf_free(&text);
    buf_free(&signed_text);
    return rc;
}

int world_status(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body)
{
    struct answer a;
    int status = world_call(w, signer, name, body, NULL, &a) ? -1 : (int)a.status;

    if (getenv("TRACE"))
        printf("# %s: %d %s\n", name, status, a.text);
    answer_clear(&a);
    return status;
}

/* ---- messages ---- */

int seal(const struct who *list, const char *text, struct sealed *out)
{
    const struct jwk *to = list->key;
    struct jwk *epk = NULL;
    int rc;

    memset(out, 0, sizeof *out);
    rc = jwe_encrypt(&to, 1, &(struct jwe_options){0}, text, strlen(text), &out->jwe, &out->ciphertext, NULL);
    rc = rc ? rc : jwe_recipient(out->jwe, 0, &out->to, NULL);
    rc = rc ? rc : jwk_from_json(jwe_protected(out->jwe, "epk"), &epk, NULL);
    rc = rc ? rc : jwk_to_json(epk, 0, &out->epk, NULL);
    jwk_free(&epk);
    return rc;
}

void sealed_clear(struct sealed *s)
{
    jwe_free(&s->jwe);
    buf_free(&s->ciphertext);
    json_object_put(s->epk);
    s->epk = NULL;
}

int opens(const struct who *member, const struct who *list, struct json_object *grant, const struct sealed *s,
          const char *text)
{
    struct grant g = {0};
    struct share share = {0};
    struct buf plain = BUF_INIT;
    struct err e = {0};
    unsigned char tag[GRANT_TAG_LEN];
    int rc = grant_from_json(grant, &g, &e), yes;

    rc = rc ? rc : share_read(g.dk, list->profile.keyid, list->sign, member->key, &share, &e);
    rc = rc ? rc : entry_tag(share.tagkey, s->to.epk, s->to.epk_len, tag, &e);
    if (!rc && memcmp(tag, g.tag, sizeof tag))
        rc = err_set(&e, ERR_KEY, "tag");
    rc = rc ? rc : share_decrypt(&share, &g, s->jwe, 0, &s->ciphertext, &plain, &e);
    yes = !rc && plain.len == strlen(text) && !memcmp(plain.data, text, plain.len);
    if (rc)
        printf("# %s: %s\n", member->address, e.text);
    share_clear(&share);
    grant_clear(&g);
    buf_free(&plain);
    return yes;
}
