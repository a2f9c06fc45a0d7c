#include "milter-mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mailcrypt.h"

static struct smfiDesc cb;

struct settings *mail_settings(const char *lines)
{
    char path[] = "/tmp/milter-test.XXXXXX";
    struct settings *s;
    struct err e;
    FILE *f = fdopen(mkstemp(path), "w");

    if (!f || fputs("recryptd = \"unix:/nonexistent/socket\"\n", f) < 0 || fputs(lines, f) < 0 || fclose(f) ||
        settings_load(path, &s, &e) < 0)
        abort();
    unlink(path);
    return s;
}

void mail_config(const char *lines)
{
    settings_replace(mail_settings(lines));
    mail_close();
}

void mail_close(void)
{
    if (cb.xxfi_close)
        cb.xxfi_close(world_ctx());
}

void mail_fresh(void)
{
    mail_close();
    world_reset();
}

struct mail mail_to(const char *rcpt, const char *body)
{
    struct mail m = {.rcpt = {rcpt}, .body = body};

    return m;
}

static int negotiate(void)
{
    unsigned long a, b, c, d;

    if (world.priv)
        return 0;
    cb = callbacks_describe();
    return cb.xxfi_negotiate(world_ctx(), world.actions, world.steps, 0, 0, &a, &b, &c, &d) == SMFIS_CONTINUE ? 0 : -1;
}

sfsistat mail_envelope(const struct mail *m)
{
    char *argv[2] = {(char *)(uintptr_t)(m->sender ? m->sender : "<dave@example.org>"), NULL};
    sfsistat r;

    if (negotiate() < 0)
        return SMFIS_REJECT;
    r = cb.xxfi_envfrom(world_ctx(), argv);
    for (int i = 0; i < 4 && m->rcpt[i]; i++) {
        argv[0] = (char *)(uintptr_t)m->rcpt[i];
        r = cb.xxfi_envrcpt(world_ctx(), argv);
    }
    return r;
}

static int goes_on(sfsistat r)
{
    return r == SMFIS_CONTINUE || r == SMFIS_NOREPLY;
}

sfsistat mail_send(const struct mail *m)
{
    size_t len = m->len || !m->body ? m->len : strlen(m->body), piece = m->piece ? m->piece : len, at = 0, n;
    sfsistat r = mail_envelope(m);

    if (!goes_on(r) || !goes_on(r = cb.xxfi_data(world_ctx())))
        return r;
    if (!m->no_from)
        r = cb.xxfi_header(world_ctx(), (char[]){"From"}, (char[]){" Dave <dave@example.org>"});
    for (int i = 0; goes_on(r) && i < 24 && m->header[i][0]; i++)
        r = cb.xxfi_header(world_ctx(), (char *)(uintptr_t)m->header[i][0], (char *)(uintptr_t)m->header[i][1]);
    for (; goes_on(r) && at < len; at += n) {
        n = len - at < piece ? len - at : piece;
        r = cb.xxfi_body(world_ctx(), (unsigned char *)(uintptr_t)m->body + at, n);
    }
    return goes_on(r) || r == SMFIS_SKIP ? cb.xxfi_eom(world_ctx()) : r;
}

static struct buf sealed_type, sealed_body;

static struct jwe *encrypt(const char *account, int old, size_t forged, struct buf *ciphertext)
{
    static const char text[] = "Subject: inside\r\n\r\nthe secret text\r\n";
    struct jwk *key = old ? world.old : world.key;
    struct grant *g = calloc(forged + 1, sizeof *g);
    struct jwe *j = NULL;

    for (size_t i = 0; i < forged; i++) {
        memset(g[i].tag, 0xee, sizeof g[i].tag);
        g[i].value_len = 32;
    }
    if (jwk_set_kid(key, world_keyid(account, old)) < 0 ||
        jwe_encrypt((const struct jwk *const *)&key, 1, NULL, text, sizeof text - 1, &j, ciphertext, NULL) < 0 ||
        (forged && jwe_set_grants(j, 0, g, forged, NULL) < 0))
        abort();
    free(g);
    return j;
}

const char *mail_sealed(const char *account, int old, size_t forged, const char **type)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j = encrypt(account, old, forged, &ciphertext);

    buf_free(&sealed_type);
    buf_free(&sealed_body);
    if (mailcrypt_build(j, &ciphertext, &sealed_type, &sealed_body, NULL) < 0)
        abort();
    jwe_free(&j);
    buf_free(&ciphertext);
    *type = buf_str(&sealed_type);
    return buf_str(&sealed_body);
}

const char *mail_whole(const char *account, const char **type)
{
    struct buf ciphertext = BUF_INIT;
    struct jwe *j = encrypt(account, 0, 0, &ciphertext);

    buf_free(&sealed_body);
    if (jwe_write(j, &ciphertext, &sealed_body, NULL) < 0 || buf_puts(&sealed_body, "\r\n") < 0)
        abort();
    jwe_free(&j);
    buf_free(&ciphertext);
    *type = " application/jose+json";
    return buf_str(&sealed_body);
}

/* The new Content-Type when one was set, else the one that was sent. */
static const char *result_type(char type[512])
{
    const char *p = strstr(buf_str(&world.did), "change Content-Type 1 ");
    size_t n = strlen("change Content-Type 1 ");

    if (!p && (p = strstr(buf_str(&world.did), "add Content-Type: ")))
        n = strlen("add Content-Type: ");
    if (!p)
        return buf_str(&sealed_type);
    /* The value may be folded. */
    snprintf(type, 512, "%s", p + n);
    for (char *q = type; (q = strchr(q, '\n')); q++)
        if (q[1] != ' ' && q[1] != '\t') {
            *q = 0;
            break;
        }
    return type;
}

static int result(struct mailcrypt *found)
{
    struct span body = {world.body.data, world.body.len}, none = {NULL, 0}, type;
    char text[512];

    memset(found, 0, sizeof *found);
    type.data = (const unsigned char *)result_type(text);
    type.len = strlen((const char *)type.data);
    return world.body.len && !mailcrypt_find(type, none, body, found, NULL) && found->kind == MAILCRYPT_TWO_PART;
}

struct jwe *mail_result(void)
{
    struct mailcrypt found;
    struct jwe *j = NULL;

    if (result(&found)) {
        j = found.jwe;
        found.jwe = NULL;
    }
    mailcrypt_clear(&found);
    return j;
}

int mail_opens(const char *text)
{
    struct buf ciphertext = BUF_INIT, plain = BUF_INIT;
    struct jwe_recipient rcpt;
    struct mailcrypt found;
    int r;

    r = result(&found) && !mailcrypt_ciphertext(&found, &ciphertext, NULL) &&
        !jwe_recipient(found.jwe, 0, &rcpt, NULL) && !jwk_set_kid(world.key, rcpt.kid) &&
        !jwe_decrypt(found.jwe, world.key, &ciphertext, &plain, NULL) && strstr(buf_str(&plain), text);
    mailcrypt_clear(&found);
    buf_free(&ciphertext);
    buf_free(&plain);
    return r;
}
