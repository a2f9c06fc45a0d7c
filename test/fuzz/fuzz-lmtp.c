/* LMTP sessions, whole and in two pieces cut where the first octet says: what is delivered must not depend on the cut.
 * identity: what was delivered, sent again with its dots doubled, is delivered the same. */
#include "../../lda/lmtp.c"
#include "../../lda/verdict.c"

#include <stdint.h>

struct seen {
    struct buf answers, messages;
    size_t first; /* octets of the first message delivered */
};

static int send_to(void *arg, const void *data, size_t len)
{
    return buf_append(&((struct seen *)arg)->answers, data, len) < 0 ? -1 : 0;
}

static void deliver_to(void *arg, const struct envelope *env, struct span msg, struct verdict *out)
{
    struct seen *s = arg;
    char canonical[ADDRESS_SIZE];

    if (address_canonical(env->recipient, strlen(env->recipient), canonical, NULL) < 0)
        abort();
    if (memchr(env->sender, '\r', strlen(env->sender)) || memchr(env->sender, '\n', strlen(env->sender)))
        abort();
    if (msg.len > 1000)
        abort();
    if (!s->messages.len)
        s->first = msg.len;
    buf_append(&s->messages, msg.data, msg.len);
    verdict_set(out, msg.len % 3 ? EX_OK : EX_TEMPFAIL, msg.len % 3 ? "2.0.0" : "4.3.0", "text");
}

static void run(const void *data, size_t len, size_t cut, struct seen *s)
{
    struct lmtp_handler h = {s, send_to, deliver_to};
    struct lmtp *l;

    if (lmtp_new("host", 1000, &h, &l, NULL) < 0)
        abort();
    if (!lmtp_feed(l, data, cut))
        lmtp_feed(l, (const uint8_t *)data + cut, len - cut);
    lmtp_free(&l);
}

/* The message has LF; a line is CRLF on the way, and its last one must be ended. */
static void again(const struct seen *s)
{
    struct seen second = {BUF_INIT, BUF_INIT, 0};
    struct buf text = BUF_INIT;

    buf_puts(&text, "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n");
    for (size_t i = 0; i < s->first; i++) {
        const unsigned char *p = s->messages.data + i;

        if (*p == '.' && (i == 0 || p[-1] == '\n'))
            buf_puts(&text, ".");
        if (*p == '\n')
            buf_puts(&text, "\r");
        buf_append(&text, p, 1);
    }
    buf_puts(&text, ".\r\nQUIT\r\n");
    run(text.data, text.len, 0, &second);
    if (second.first != s->first || memcmp(second.messages.data, s->messages.data, s->first) != 0)
        abort();
    buf_free(&text);
    buf_free(&second.answers);
    buf_free(&second.messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct seen a = {BUF_INIT, BUF_INIT, 0}, b = {BUF_INIT, BUF_INIT, 0};

    if (len < 2)
        return 0;
    run(data + 1, len - 1, 0, &a);
    run(data + 1, len - 1, (data[0] * (len - 1)) / 255, &b);
    if (a.answers.len != b.answers.len || a.messages.len != b.messages.len ||
        (a.messages.len && memcmp(a.messages.data, b.messages.data, a.messages.len) != 0))
        abort();
    if (a.first)
        again(&a);
    buf_free(&a.answers);
    buf_free(&a.messages);
    buf_free(&b.answers);
    buf_free(&b.messages);
    return 0;
}
