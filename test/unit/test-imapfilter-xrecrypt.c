/* UID XRECRYPT between a client, a server and a recryptd that this test plays. */
#include "unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/b64.h"
#include "common/mailcrypt.h"
#include "common/sjson.h"
#include "common/udf.h"
#include "frame-server.h"
#include "imapfilter-world.h"

#define DEVICE "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345"
#define FIELDS                                                                                                         \
    "(UID BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE CONTENT-TRANSFER-ENCODING)]<0.16384> BODY.PEEK[1.MIME]<0.16384> "

/* ---- recryptd ---- */

static struct frame_server recryptd;
static int running;
static enum frame_action behaviour = FRAME_REPLY;
static atomic_int items_seen, largest;

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

static void recryptd_run(int on)
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

/* What the server has of a message: header fields, part 1's header, part 1. */
struct mail {
    struct buf header, mime, part;
    char keys[3][KEYID_SIZE];
};

enum { TWO_PART, WHOLE, WHOLE_LAST }; /* LAST: the recipients */

/* Encrypted to keys of these addresses. WHOLE: one part, application/jose+json; base64 as its transfer encoding. */
static void compose(struct mail *m, const char *const *to, size_t n, int whole, size_t plain_len)
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

static void mail_clear(struct mail *m)
{
    buf_free(&m->header);
    buf_free(&m->mime);
    buf_free(&m->part);
}

/* The server's answer about a message; more: items between. */
static void send_mail(struct pair *p, unsigned number, unsigned uid, const struct mail *m, size_t limit,
                      const char *more)
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

/* The filter's command to the server: what follows its tag must be this; the tag is put into the answer. */
static int asked(struct pair *p, const char *command, char *tag)
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

static int asked_fetch(struct pair *p, const char *set, size_t limit, char *tag)
{
    char text[4096];

    snprintf(text, sizeof text, "UID FETCH %s " FIELDS "BODY.PEEK[1]<0.%zu>)\r\n", set, limit);
    return asked(p, text, tag);
}

static void done(struct pair *p, const char *tag, const char *how)
{
    char text[200];

    snprintf(text, sizeof text, "%s %s\r\n", tag, how);
    say(&p->server, text);
}

/* The client's answer about a message: with one of answers[], or NIL. */
static int told(struct pair *p, unsigned number, unsigned uid, const struct mail *m, int kind, const char *others)
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

/* ---- tests ---- */

static const char *const to_list[] = {"list@example.com"}, *const to_far[] = {"far@example.net"},
                         *const to_bob[] = {"bob@example.com"}, *const to_nobody[] = {"nobody@example.com"},
                         *const to_three[] = {"nobody@x.org", "zed@x.org", "bob@example.com"};

static void test_answers(void)
{
    struct mail list, far, bob, nobody, three, plain = {.header = BUF_INIT};
    struct pair p = world_logged_in();
    char tag[4096];

    recryptd_run(1);
    compose(&list, to_list, 1, 0, 100);
    compose(&far, to_far, 1, 0, 100);
    compose(&bob, to_bob, 1, 1, 100);
    compose(&nobody, to_nobody, 1, 0, 100);
    compose(&three, to_three, 3, 0, 100);
    buf_puts(&plain.header, "Content-Type: text/plain\r\n\r\n");
    buf_puts(&plain.part, "hello");
    say(&p.client, "x uid xrecrypt 3,1:2,7:5 abcde-fghij-klmno-pqrst-uvwxy-z2345\r\ny NOOP\r\n");
    CU_ASSERT(asked_fetch(&p, "1:3,5:7", 65536, tag));
    send_mail(&p, 1, 1, &list, 65536, "");
    say(&p.server, "* 9 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen) UID 2)\r\n");
    send_mail(&p, 2, 2, &far, 65536, "FLAGS (\\Seen {3}\r\na)b) MODSEQ (7) ");
    send_mail(&p, 3, 3, &bob, 65536, "");
    send_mail(&p, 4, 5, &nobody, 65536, "");
    send_mail(&p, 5, 6, &plain, 65536, "FLAGS () ");
    send_mail(&p, 6, 7, &three, 65536, "");
    CU_ASSERT(hears(&p.client, "* 9 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen) UID 2)\r\n") && hears_nothing(&p.client) &&
              hears_nothing(&p.server));
    done(&p, tag, "OK fetched");
    CU_ASSERT(told(&p, 1, 1, &list, 0, ""));
    CU_ASSERT(told(&p, 2, 2, &far, 1, " FLAGS (\\Seen {3}\r\na)b) MODSEQ (7)"));
    CU_ASSERT(told(&p, 3, 3, &bob, 2, ""));
    CU_ASSERT(told(&p, 4, 5, &nobody, -1, ""));
    CU_ASSERT(told(&p, 5, 6, &plain, -1, " FLAGS ()"));
    strcpy(three.keys[0], three.keys[2]);
    CU_ASSERT(told(&p, 6, 7, &three, 2, ""));
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n") && hears(&p.server, "y NOOP\r\n"));
    say(&p.server, "y OK\r\n");
    CU_ASSERT(hears(&p.client, "y OK\r\n"));
    pair_close(&p);
    mail_clear(&list);
    mail_clear(&far);
    mail_clear(&bob);
    mail_clear(&nobody);
    mail_clear(&three);
    mail_clear(&plain);
}

/* Earlier commands are answered first; what the server says comes in pieces. */
static void test_order(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "1 FETCH 1 BODY[]\r\n2 NOOP\r\nx UID XRECRYPT 4 " DEVICE
                   "\r\ny COMPRESS DEFLATE\r\nz UID XRECRYPT 5 " DEVICE "\r\n3 NOOP\r\n");
    CU_ASSERT(hears(&p.server, "1 FETCH 1 BODY[]\r\n2 NOOP\r\n") && hears_nothing(&p.server));
    say(&p.server, "* 1 FETCH (BODY[] {6}\r\n2 OK\r\n)\r\n1 OK\r\n");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (BODY[] {6}\r\n2 OK\r\n)\r\n1 OK\r\n") && hears_nothing(&p.server));
    say(&p.server, "2 OK\r\n* 8 EXISTS\r\n");
    CU_ASSERT(hears(&p.client, "2 OK\r\n* 8 EXISTS\r\n") && asked_fetch(&p, "4", 65536, tag));
    send_mail(&p, 4, 4, &m, 65536, "");
    CU_ASSERT(hears_nothing(&p.client));
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 4, 4, &m, 2, "") &&
              hears(&p.client, "x OK UID XRECRYPT completed\r\ny NO [CANNOT] Not through this filter\r\n"));
    CU_ASSERT(asked_fetch(&p, "5", 65536, tag));
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "z OK UID XRECRYPT completed\r\n") && hears(&p.server, "3 NOOP\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* A number that would change is told before. */
static void test_expunge(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "x UID XRECRYPT 1:9 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1:9", 65536, tag));
    say(&p.server, "* 1 EXPUNGE\r\n");
    CU_ASSERT(hears(&p.client, "* 1 EXPUNGE\r\n"));
    send_mail(&p, 4, 4, &m, 65536, "");
    send_mail(&p, 5, 5, &m, 65536, "");
    say(&p.server, "* 4 EXPUNGE\r\n");
    CU_ASSERT(told(&p, 4, 4, &m, 2, "") && told(&p, 5, 5, &m, 2, "") && hears(&p.client, "* 4 EXPUNGE\r\n"));
    send_mail(&p, 5, 6, &m, 65536, "");
    say(&p.server, "* VANISHED 4:5\r\n");
    CU_ASSERT(told(&p, 5, 6, &m, 2, "") && hears(&p.client, "* VANISHED 4:5\r\n"));
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* Many: which there are is asked first, and then for 64 at a time; the next ones while recryptd works. */
static void test_chunks(void)
{
    struct pair p = world_logged_in();
    struct mail m;
    char tag[4096];
    struct buf found = BUF_INIT;

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    say(&p.client, "x UID XRECRYPT 1:* " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:*\r\n", tag));
    buf_puts(&found, "* 3 EXISTS\r\n* SEARCH");
    for (unsigned i = 1; i <= 150; i++)
        buf_printf(&found, " %u", 2 * i);
    buf_puts(&found, "\r\n");
    say(&p.server, buf_str(&found));
    CU_ASSERT(hears(&p.client, "* 3 EXISTS\r\n") && hears_nothing(&p.server));
    done(&p, tag, "OK");
    for (unsigned c = 0; c < 3; c++) {
        unsigned first = 64 * c + 1, last = first + 63 < 150 ? first + 63 : 150;

        buf_reset(&found);
        for (unsigned i = first; i <= last; i++)
            buf_printf(&found, "%s%u", i > first ? "," : "", 2 * i);
        CU_ASSERT(asked_fetch(&p, buf_str(&found), 65536, tag));
        for (unsigned i = first; i <= last; i++)
            send_mail(&p, i, 2 * i, &m, 65536, "");
        done(&p, tag, "OK");
        for (unsigned i = first; i <= last; i++)
            CU_ASSERT(told(&p, i, 2 * i, &m, 2, ""));
    }
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    CU_ASSERT(items_seen == 150 && largest == 64);
    /* A mailbox with nothing in it, and one with more than anybody may ask about. */
    say(&p.client, "x UID XRECRYPT 1:* " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:*\r\n", tag));
    say(&p.server, "* SEARCH\r\n");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    buf_reset(&found);
    buf_puts(&found, "* SEARCH");
    for (unsigned i = 1; i <= 30000; i++)
        buf_printf(&found, " %u", i);
    buf_puts(&found, "\r\n");
    say(&p.client, "x UID XRECRYPT 1:100000 " DEVICE "\r\n");
    CU_ASSERT(asked(&p, "UID SEARCH UID 1:100000\r\n", tag));
    say(&p.server, buf_str(&found));
    done(&p, tag, "OK");
    CU_ASSERT(hears_line(&p.client, "x NO [LIMIT] More than 20000 ", NULL));
    buf_free(&found);
    pair_close(&p);
    mail_clear(&m);
}

/* A first part that is longer than what is asked for at first: its beginning is enough, when it says whom it is for. */
static void test_large(void)
{
    struct pair p = world_logged_in();
    struct mail big, huge, small, usual;
    char tag[4096];

    recryptd_run(1);
    compose(&big, to_bob, 1, WHOLE_LAST, 200000);
    compose(&huge, to_bob, 1, WHOLE_LAST, 4000000);
    compose(&small, to_bob, 1, TWO_PART, 3000000);
    compose(&usual, to_three, 3, WHOLE, 4000000);
    strcpy(usual.keys[0], usual.keys[2]);
    say(&p.client, "x UID XRECRYPT 1:4 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1:4", 65536, tag));
    send_mail(&p, 1, 1, &big, 65536, "");
    send_mail(&p, 2, 2, &small, 65536, "");
    send_mail(&p, 3, 3, &huge, 65536, "");
    send_mail(&p, 4, 4, &usual, 65536, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 2, 2, &small, 2, "") && told(&p, 4, 4, &usual, 2, ""));
    CU_ASSERT(asked_fetch(&p, "1", 4194304, tag));
    send_mail(&p, 1, 1, &big, 4194304, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 1, 1, &big, 2, ""));
    CU_ASSERT(asked_fetch(&p, "3", 4194304, tag));
    send_mail(&p, 3, 3, &huge, 4194304, "");
    done(&p, tag, "OK");
    CU_ASSERT(told(&p, 3, 3, &huge, -1, "") && hears(&p.client, "x OK UID XRECRYPT completed\r\n"));
    pair_close(&p);
    mail_clear(&big);
    mail_clear(&huge);
    mail_clear(&small);
    mail_clear(&usual);
}

/* Few sessions have a long message in memory at a time. */
static void test_large_at_once(void)
{
    struct pair p[5];
    struct mail big;
    char tag[4096], first[4096];

    recryptd_run(1);
    compose(&big, to_bob, 1, WHOLE_LAST, 100000);
    for (int i = 0; i < 5; i++) {
        p[i] = world_logged_in();
        say(&p[i].client, "x UID XRECRYPT 1 " DEVICE "\r\n");
        CU_ASSERT(asked_fetch(&p[i], "1", 65536, tag));
        send_mail(&p[i], 1, 1, &big, 65536, "");
        done(&p[i], tag, "OK");
        if (i < 4)
            CU_ASSERT(asked_fetch(&p[i], "1", 4194304, i ? tag : first));
    }
    CU_ASSERT(hears_line(&p[4].client, "x NO [UNAVAILABLE] Too many ", NULL));
    send_mail(&p[0], 1, 1, &big, 4194304, "");
    done(&p[0], first, "OK");
    CU_ASSERT(told(&p[0], 1, 1, &big, 2, ""));
    for (int i = 0; i < 4; i++)
        pair_close(&p[i]);
    for (int i = 0; i < 8; i++) {
        say(&p[4].client, "x UID XRECRYPT 1 " DEVICE "\r\n");
        CU_ASSERT(asked_fetch(&p[4], "1", 65536, tag));
        send_mail(&p[4], 1, 1, &big, 65536, "");
        done(&p[4], tag, "OK");
        CU_ASSERT(asked_fetch(&p[4], "1", 4194304, tag));
        done(&p[4], tag, "OK");
        CU_ASSERT(hears(&p[4].client, "x OK UID XRECRYPT completed\r\n"));
    }
    pair_close(&p[4]);
    mail_clear(&big);
}

static void test_refused(void)
{
    static const struct {
        const char *command, *answer;
    } cases[] = {{"1", "x BAD "},
                 {"", "x BAD "},
                 {"1 " DEVICE " more", "x BAD "},
                 {"1  " DEVICE, "x BAD "},
                 {"1 \"" DEVICE "\"", "x BAD "},
                 {"1 {3}", "x BAD "},
                 {"1,0 " DEVICE, "x NO [CANNOT] "},
                 {"1:x " DEVICE, "x NO [CANNOT] "},
                 {"$ " DEVICE, "x NO [CANNOT] "},
                 {"1 ABCDE", "x NO [CANNOT] "},
                 {"1 ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z234O1", "x NO [CANNOT] "}};
    struct pair p = world_logged_in();
    char tag[4096];
    struct mail m;

    recryptd_run(1);
    compose(&m, to_bob, 1, 0, 100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say(&p.client, "x UID XRECRYPT ");
        say(&p.client, cases[i].command);
        say(&p.client, "\r\n");
        CU_ASSERT(hears_line(&p.client, cases[i].answer, NULL));
    }
    say(&p.client, "x UID XRECRYPT {1+}\r\n1 " DEVICE "\r\n");
    CU_ASSERT(hears_line(&p.client, "x BAD ", NULL) && hears_nothing(&p.server));
    /* The server says no; no message is encrypted; the device is none of hers. */
    say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    done(&p, tag, "BAD No mailbox selected");
    CU_ASSERT(hears(&p.client, "x NO [CANNOT] No mailbox selected\r\n"));
    say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    say(&p.server,
        "* 1 FETCH (BODY[1]<0> \"x\" UID 1 BODY[1.MIME]<0> NIL BODY[HEADER.FIELDS (CONTENT-TYPE)]<0> {2}\r\n\r\n)\r\n");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "* 1 FETCH (UID 1 XRECRYPT NIL)\r\n") &&
              hears_line(&p.client, "x NO [CANNOT] None of these ", NULL));
    say(&p.client, "x UID XRECRYPT 1 AAAAA-FGHIJ-KLMNO-PQRST-UVWXY-Z2345\r\n");
    CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
    send_mail(&p, 1, 1, &m, 65536, "");
    done(&p, tag, "OK");
    CU_ASSERT(hears(&p.client, "x NO [NOPERM] Not a device of yours\r\n"));
    pair_close(&p);
    mail_clear(&m);
}

/* recryptd is away, slow, confused: NO, and the session goes on. */
static void test_away(void)
{
    static const enum frame_action ways[] = {FRAME_CLOSE, FRAME_CUT, FRAME_SILENT, FRAME_REPLY_SLOW};
    struct pair p = world_logged_in();
    char tag[4096];
    struct mail m;

    recryptd_run(0);
    compose(&m, to_bob, 1, 0, 100);
    for (size_t i = 0; i <= 2 + sizeof ways / sizeof *ways; i++) {
        int good = i == 1 || i >= 1 + sizeof ways / sizeof *ways;

        recryptd_run(i != 0);
        if (i >= 2 && i < 2 + sizeof ways / sizeof *ways)
            behaviour = ways[i - 2];
        say(&p.client, "x UID XRECRYPT 1 " DEVICE "\r\ny NOOP\r\n");
        CU_ASSERT(asked_fetch(&p, "1", 65536, tag));
        send_mail(&p, 1, 1, &m, 65536, "");
        done(&p, tag, "OK");
        if (good)
            CU_ASSERT(told(&p, 1, 1, &m, 2, ""));
        CU_ASSERT(hears_line(&p.client, good ? "x OK " : "x NO [UNAVAILABLE] ", NULL) &&
                  hears(&p.server, "y NOOP\r\n"));
        say(&p.server, "y OK\r\n");
        CU_ASSERT(hears(&p.client, "y OK\r\n"));
        recryptd_run(0);
    }
    pair_close(&p);
    mail_clear(&m);
}

/* Sessions that end at any moment of it. */
static void test_ends(void)
{
    struct mail m;
    char tag[4096];

    recryptd_run(1);
    behaviour = FRAME_SILENT;
    compose(&m, to_bob, 1, 0, 100);
    for (int moment = 0; moment < 6; moment++) {
        struct pair p = world_logged_in();

        say(&p.client, "x UID XRECRYPT 1:9 " DEVICE "\r\ny NOOP\r\n");
        CU_ASSERT(asked_fetch(&p, "1:9", 65536, tag));
        if (moment > 1)
            send_mail(&p, 1, 1, &m, 65536, "");
        if (moment > 3)
            done(&p, tag, "OK");
        if (moment % 2) {
            talk_close(&p.client);
            if (moment < 4)
                CU_ASSERT(hears_nothing(&p.server));
        } else {
            talk_close(&p.server);
            CU_ASSERT(hears_end(&p.client));
        }
        pair_close(&p);
    }
    recryptd_run(0);
    mail_clear(&m);
}

static void stop(void)
{
    CU_ASSERT(world_stop());
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"answers", test_answers},
        {"the order of commands", test_order},
        {"messages that go meanwhile", test_expunge},
        {"many messages", test_chunks},
        {"long first parts", test_large},
        {"long ones in many sessions", test_large_at_once},
        {"what is refused", test_refused},
        {"recryptd is away, slow, confused", test_away},
        {"the client or the server goes", test_ends},
        {"ends in order", stop},
    };
    int status;

    world_start("timeout = 1s");
    status = unit_main("imapfilter-xrecrypt", tests, sizeof tests / sizeof *tests);
    recryptd_run(0);
    world_end();
    return status;
}
