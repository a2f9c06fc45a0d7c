/* A whole message through the milter's callbacks, for a list, a list that encrypts at the door, and people. The first
 * octet says for whom and in what pieces; then the header fields and the body. Whatever comes: accepted means changed
 * as it must be, refused means nothing was changed.
 * identity: what was sealed at the door opens, and is the message that came. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RUNSTATEDIR "/run"
#include "milter/body.c"
#include "milter/callbacks.c"
#include "milter/grants.c"
#include "milter/headers.c"
#include "milter/list-header.c"
#include "milter/list.c"
#include "milter/person.c"
#include "milter/recipient.c"
#include "milter/reply.c"
#include "milter/seal.c"
#include "milter/session.c"
#include "test/unit/milter-world.c"

static char recryptd[] = "unix:/nonexistent/socket", subject[] = "[...]";
static struct settings conf = {
    .recryptd = recryptd, .timeout_ms = 1000, .max_message = 1 << 20, .outer_subject = subject};

struct settings *settings_acquire(void)
{
    return &conf;
}

void settings_release(struct settings **s)
{
    *s = NULL;
}

/* RFC 7748 section 6.1, so that the seeds can name the list's key. */
static const char list_key[] =
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo\","
    "\"d\":\"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo\"}";

static void must(int condition)
{
    if (!condition)
        abort();
}

/* The header's lines as a mail server hands them over: name, and value folded with LF. */
static sfsistat send_header(const uint8_t **p, size_t *n)
{
    char *text = malloc(*n + 1), *at = text, *colon, *next;
    const uint8_t *end = memmem(*p, *n, "\n\n", 2);
    size_t len = end ? (size_t)(end - *p) : 0;
    sfsistat r = SMFIS_CONTINUE;

    memcpy(text, *p, len);
    text[len] = 0;
    *p += end ? len + 2 : 0;
    *n -= end ? len + 2 : 0;
    for (; at && *at && r == SMFIS_CONTINUE; at = next) {
        for (next = strchr(at, '\n'); next && (next[1] == ' ' || next[1] == '\t'); next = strchr(next + 1, '\n'))
            ;
        if (next)
            *next++ = 0;
        if ((colon = strchr(at, ':'))) {
            *colon = 0;
            r = on_header(world_ctx(), at, colon + 1);
            r = r == SMFIS_NOREPLY ? SMFIS_CONTINUE : r;
        }
    }
    free(text);
    return r;
}

static struct span sent; /* the body */

static sfsistat send_message(unsigned how, const uint8_t *p, size_t n)
{
    static const char *const rcpt[] = {"<list@example.com>",   "<door@example.com>",       "<seal@example.com>",
                                       "<refuse@example.com>", "<list+owner@example.com>", "<list+bounce@example.com>"};
    char sender[] = "<dave@example.org>", to[64], *argv[2] = {sender, NULL};
    size_t piece = how & 8 ? 7 : n;
    sfsistat r;

    r = on_envfrom(world_ctx(), argv);
    must(r == SMFIS_CONTINUE || r == SMFIS_NOREPLY);
    strcpy(to, rcpt[(how & 7) % 6]);
    argv[0] = to;
    must(on_envrcpt(world_ctx(), argv) == SMFIS_CONTINUE && on_data(world_ctx()) == SMFIS_CONTINUE);
    if ((r = send_header(&p, &n)) != SMFIS_CONTINUE)
        return r;
    sent = (struct span){p, n};
    while (n && r == SMFIS_CONTINUE) {
        size_t now = n < piece ? n : piece;

        r = on_body(world_ctx(), (unsigned char *)(uintptr_t)p, now);
        p += now;
        n -= now;
    }
    return r == SMFIS_CONTINUE || r == SMFIS_SKIP ? on_eom(world_ctx()) : r;
}

/* The value that a change of the header gave the field. */
static struct span given(const char *name)
{
    const char *did = buf_str(&world.did), *ways[] = {"change ", "add "}, *behind[] = {" 1 ", ": "};
    char line[64];

    for (int i = 0; i < 2; i++) {
        const char *at;

        snprintf(line, sizeof line, "%s%s%s", ways[i], name, behind[i]);
        if ((at = strstr(did, line)) && (at == did || at[-1] == '\n'))
            return (struct span){(const unsigned char *)at + strlen(line), strcspn(at + strlen(line), "\n")};
    }
    return (struct span){NULL, 0};
}

/* Header and body came in; the body is the end of what opens, octet for octet. */
static void opens(struct span body)
{
    struct span msg = {world.body.data, world.body.len}, none = {NULL, 0};
    struct buf ciphertext = BUF_INIT, payload = BUF_INIT, plain = BUF_INIT;
    struct mailcrypt m;

    must(!mailcrypt_find(given("Content-Type"), none, msg, &m, NULL) && m.kind == MAILCRYPT_TWO_PART);
    must(!mailcrypt_ciphertext(&m, &ciphertext, NULL) && !jwe_decrypt(m.jwe, world.key, &ciphertext, &payload, NULL));
    must(!protect_unwrap((struct span){payload.data, payload.len}, &plain, NULL) && plain.len >= body.len);
    must(!body.len || !memcmp(plain.data + plain.len - body.len, body.data, body.len));
    mailcrypt_clear(&m);
    buf_free(&ciphertext);
    buf_free(&payload);
    buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned long a, b, c, d;
    sfsistat r;

    if (!size)
        return 0;
    log_open("fuzz-milter", 0, 0);
    must(world.key || jwk_parse(list_key, sizeof list_key - 1, &world.key, NULL) == 0);
    world_reset();
    must(on_negotiate(world_ctx(), world.actions, world.steps, 0, 0, &a, &b, &c, &d) == SMFIS_CONTINUE);
    r = send_message(data[0], data + 1, size - 1);
    if (r != SMFIS_ACCEPT) {
        must((r == SMFIS_REJECT || r == SMFIS_TEMPFAIL) && !world.changes && world_did("reply "));
    } else if ((data[0] & 7) % 6 < 2) {
        must(world.body.len && world_count("recipient+ ") == 3 && world_did("recipient- ") && world_did("sender "));
        must(world_did("add List-Id: ") && world.expanded);
    }
    if (r == SMFIS_ACCEPT && world.body.len && given("Subject").data)
        opens(sent);
    on_close(world_ctx());
    must(!world.priv);
    return 0;
}
