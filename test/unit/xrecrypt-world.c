#include "xrecrypt-world.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/b64.h"
#include "common/mailcrypt.h"
#include "common/sjson.h"

static struct frame_server recryptd;
static int running;
enum frame_action behaviour = FRAME_REPLY;
atomic_int items_seen, largest;

static const char *const answers[] = {
    /* by the first letter of the key's address: a list, one elsewhere, the person's own */
    "{\"Grant\":{\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\",\"dk\":\"list."
    "dk.x\"},"
    "\"Device\":{\"KeyID\":\"bob@example.com.mm--key\",\"Grant\":{\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":\"AAEC\","
    "\"dk\":\"device.dk.x\"}}}",
    "{\"Grant\":{\"dk\":\"far.dk.x\"},\"Device\":{\"KeyID\":\"bob@example.com.mm--key\",\"Grant\":{\"t\":"
    "\"AAECAwQFBgcICQoLDA0ODw\",\"u\":"
    "\"AAEC\",\"dk\":\"device.dk.x\"}}}",
    "{\"Grant\":{\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\",\"dk\":\"own."
    "dk.x\"}}"};

static const char *answer_for(const char *keyid)
{
    return *keyid == 'l' ? answers[0] : *keyid == 'f' ? answers[1] : *keyid == 'b' ? answers[2] : "null";
}

static enum frame_action on_request(void *arg, struct json_object *request, struct buf *answer)
{
    struct json_object *body, *items;
    struct buf text = BUF_INIT;
    const char *account, *device, *keyid;

    (void)arg;
    if (sjson_object(request, "GrantsRequest", &body, NULL) || sjson_string(body, "Account", &account, NULL) ||
        sjson_string(body, "Device", &device, NULL) || sjson_array(body, "Items", &items, NULL) ||
        strcmp(account, "bob@example.com") != 0 || strcmp(device, DEVICE) != 0) {
        frame_of(answer, "{\"GrantsResponse\":{\"Status\":404,\"StatusDescription\":\"no grant\"}}");
        return behaviour;
    }
    items_seen += (int)json_object_array_length(items);
    if ((int)json_object_array_length(items) > largest)
        largest = (int)json_object_array_length(items);
    buf_puts(&text, "{\"GrantsResponse\":{\"Status\":201,\"StatusDescription\":\"OK\",\"Grants\":[");
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        if (sjson_string(json_object_array_get_idx(items, i), "GroupKeyID", &keyid, NULL))
            keyid = "";
        buf_printf(&text, "%s%s", i ? "," : "", answer_for(keyid));
    }
    buf_puts(&text, "]}}");
    frame_of(answer, buf_str(&text));
    buf_free(&text);
    return behaviour;
}

void recryptd_run(int on)
{
    char path[128];

    snprintf(path, sizeof path, "%s/recryptd.sock", world_dir);
    if (on && !running && frame_server_start(&recryptd, path, on_request, NULL) < 0)
        exit(99);
    if (!on && running) {
        frame_server_stop(&recryptd);
        unlink(path);
    }
    running = on;
    behaviour = FRAME_REPLY;
    items_seen = largest = 0;
}

/* ---- messages ---- */

void compose(struct mail *m, const char *const *to, size_t n, int whole, size_t plain_len)
{
    struct buf ciphertext = BUF_INIT, type = BUF_INIT, body = BUF_INIT, text = BUF_INIT;
    char udf[JWK_UDF_SIZE], *plain = calloc(1, plain_len + 1);
    struct jwk *keys[3] = {NULL};
    struct jwe *jwe = NULL;
    const char *at;

    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < n; i++)
        if (jwk_generate("X25519", &keys[i], NULL) || jwk_udf(keys[i], udf) ||
            keyid_make(to[i], udf, m->keys[i], NULL) || jwk_set_kid(keys[i], m->keys[i]))
            exit(99);
    if (jwe_encrypt((const struct jwk *const *)keys, n, NULL, plain, plain_len, &jwe, &ciphertext, NULL))
        exit(99);
    if (whole) {
        buf_puts(&m->header, "Content-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        if (jwe_write(jwe, &ciphertext, &text, NULL))
            exit(99);
        if (whole == WHOLE_LAST)
            ciphertext_first(&text);
        if (b64mime_encode(text.data, text.len, "\r\n", &m->part))
            exit(99);
        buf_puts(&m->mime, "From: x@example.org\r\n\r\n");
    } else {
        if (mailcrypt_build(jwe, &ciphertext, &type, &body, NULL))
            exit(99);
        buf_printf(&m->header, "Content-Type: %s\r\n\r\n", buf_str(&type));
        at = strstr(strstr(buf_str(&body), "--") + 2, "\r\n") + 2;
        buf_append(&m->mime, at, (size_t)(strstr(at, "\r\n\r\n") + 4 - at));
        at += m->mime.len;
        buf_append(&m->part, at, (size_t)(strstr(at, "\r\n--") - at));
    }
    for (size_t i = 0; i < n; i++)
        jwk_free(&keys[i]);
    jwe_free(&jwe);
    buf_free(&ciphertext);
    buf_free(&type);
    buf_free(&body);
    buf_free(&text);
    free(plain);
}

void mail_clear(struct mail *m)
{
    buf_free(&m->header);
    buf_free(&m->mime);
    buf_free(&m->part);
}

void send_mail(struct pair *p, unsigned number, unsigned uid, const struct mail *m, size_t limit, const char *more)
{
    struct buf out = BUF_INIT;
    size_t len = m->part.len < limit ? m->part.len : limit;

    buf_printf(&out, "* %u FETCH (UID %u %sBODY[HEADER.FIELDS (CONTENT-TYPE CONTENT-TRANSFER-ENCODING)]<0> {%zu}\r\n%s",
               number, uid, more, m->header.len, buf_str(&m->header));
    buf_printf(&out, " BODY[1.MIME]<0> {%zu}\r\n%s BODY[1]<0> {%zu}\r\n", m->mime.len, buf_str(&m->mime), len);
    buf_append(&out, m->part.data, len);
    buf_puts(&out, ")\r\n");
    say_octets(&p->server, out.data, out.len);
    buf_free(&out);
}

int asked(struct pair *p, const char *command, char *tag)
{
    char line[4096];

    if (!hears_line(&p->server, "RX", line))
        return 0;
    strcpy(tag, line);
    *strchr(tag, ' ') = 0;
    if (strcmp(line + strlen(tag) + 1, command) == 0)
        return 1;
    printf("# the server was asked %s", line);
    return 0;
}

int asked_fetch(struct pair *p, const char *set, size_t limit, char *tag)
{
    char text[4096];

    snprintf(text, sizeof text, "UID FETCH %s " FIELDS "BODY.PEEK[1]<0.%zu>)\r\n", set, limit);
    return asked(p, text, tag);
}

void done(struct pair *p, const char *tag, const char *how)
{
    char text[200];

    snprintf(text, sizeof text, "%s %s\r\n", tag, how);
    say(&p->server, text);
}

int told(struct pair *p, unsigned number, unsigned uid, const struct mail *m, int kind, const char *others)
{
    static const char *const json[] = {"{\"grants\":[{\"kid\":\"%s\",\"grant\":{\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":"
                                       "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\",\"dk\":"
                                       "\"list.dk.x\"},\"device\":{\"kid\":\"bob@example.com.mm--key\",\"grant\":{"
                                       "\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":\"AAEC\",\"dk\":"
                                       "\"device.dk.x\"}}}]}",
                                       "{\"grants\":[{\"kid\":\"%s\",\"grant\":{\"dk\":\"far.dk.x\"},\"device\":{"
                                       "\"kid\":\"bob@example.com.mm--key\",\"grant\":{\"t\":"
                                       "\"AAECAwQFBgcICQoLDA0ODw\",\"u\":\"AAEC\",\"dk\":\"device.dk.x\"}}}]}",
                                       "{\"grants\":[{\"kid\":\"%s\",\"grant\":{\"t\":\"AAECAwQFBgcICQoLDA0ODw\",\"u\":"
                                       "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\",\"dk\":"
                                       "\"own.dk.x\"}}]}"};
    struct buf want = BUF_INIT, text = BUF_INIT;
    int yes;

    buf_printf(&want, "* %u FETCH (UID %u XRECRYPT ", number, uid);
    if (kind < 0) {
        buf_puts(&want, "NIL");
    } else {
        buf_printf(&text, json[kind], m->keys[0]);
        buf_printf(&want, "{%zu}\r\n%s", text.len, buf_str(&text));
    }
    buf_printf(&want, "%s)\r\n", others);
    yes = hears(&p->client, buf_str(&want));
    buf_free(&want);
    buf_free(&text);
    return yes;
}
