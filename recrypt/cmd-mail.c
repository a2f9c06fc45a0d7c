/* seal, open: mail from plaintext to ciphertext and back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/protect.h"
#include "devices.h"
#include "known.h"
#include "mail.h"
#include "mark.h"
#include "person.h"
#include "stream.h"

/* The address in the message's one From field. */
static int from_of(struct span msg, char out[ADDRESS_SIZE], struct err *e)
{
    struct buf value = BUF_INIT;
    struct span header, body;
    struct mime_field field;
    const char *text, *open;
    int n, r;

    mime_split(msg, &header, &body);
    if ((n = mime_field_find(header, "From", &field, e)) < 0)
        return n;
    if (n != 1)
        return err_set(e, ERR_SYNTAX, "the message has %s From field; say --from ADDRESS after mending it",
                       n ? "more than one" : "no");
    if ((r = mime_unfold(field.value, &value, e)) == 0) {
        text = buf_str(&value);
        open = strrchr(text, '<');
        text = open ? open : text;
        if ((r = address_canonical(text, strcspn(text, ">") + (open ? 1 : 0), out, e)) < 0)
            err_prefix(e, "the message's From field (say --from ADDRESS)");
    }
    buf_free(&value);
    return r;
}

/* Who signs: --from, or the message's author; nobody with --unsigned. */
static int open_signer(struct tool *t, struct span msg, struct person *out, struct err *e)
{
    const char *from = t->args->value[OPT_FROM];
    char account[ADDRESS_SIZE];
    int r;

    memset(out, 0, sizeof *out);
    if (args_given(t->args, OPT_UNSIGNED))
        return from ? err_set(e, ERR_USAGE, "--from and --unsigned exclude each other") : 0;
    if ((r = from ? tool_address(from, account, e) : from_of(msg, account, e)) < 0)
        return r;
    if ((r = person_open(t->home, account, out, e)) == ERR_ABSENT && devices_exists(t->home, account))
        return err_set(e, ERR_ABSENT,
                       "this device reads the mail of %s, and cannot sign as her: seal where the account's own key is, "
                       "or with --unsigned",
                       account);
    if (r == ERR_ABSENT)
        return err_set(e, ERR_ABSENT, "no key of %s to sign with: recrypt personal %s, or seal with --unsigned",
                       account, account);
    return r;
}

static int fetch_keys(struct tool *t, struct profile *to, const struct jwk **keys, struct err *e)
{
    int flags = args_given(t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0, r;
    char state[16];

    for (size_t i = 0; i < t->args->to_count; i++) {
        if ((r = known_fetch(t->home, t->services, t->args->to[i], flags, &to[i], state, e)) < 0)
            return r;
        if (strcmp(state, "retired") == 0)
            return err_set(e, ERR_KEY, "%s is retired: mail to it is refused; seal --to %s", to[i].keyid,
                           to[i].account);
        if (jwk_set_kid(to[i].key, to[i].keyid) < 0)
            return err_errno(e, "out of memory");
        keys[i] = to[i].key;
    }
    return 0;
}

int command_seal(struct tool *t, struct err *e)
{
    size_t n = t->args->to_count;
    struct profile *to = calloc(n ? n : 1, sizeof *to);
    const struct jwk **keys = calloc(n ? n : 1, sizeof *keys);
    struct buf msg = BUF_INIT, sealed = BUF_INIT;
    struct person signer;
    struct span span;
    int r;

    memset(&signer, 0, sizeof signer);
    if (!to || !keys) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if (n == 0 || n > JWE_RECIPIENTS_MAX) {
        r = err_set(e, ERR_USAGE, "seal needs --to ADDRESS, %s",
                    n ? "but not so many" : "once for each list or person");
        goto out;
    }
    sealed.max = 2 * (size_t)STREAM_MESSAGE_MAX;
    if ((r = stream_read(t->args->word_count ? t->args->words[0] : NULL, &msg, e)) < 0)
        goto out;
    span = (struct span){msg.data, msg.len};
    if ((r = open_signer(t, span, &signer, e)) < 0 || (r = fetch_keys(t, to, keys, e)) < 0 ||
        (r = protect_seal(span, keys, n, signer.sign, signer.account, t->args->value[OPT_SUBJECT], &sealed, e)) < 0)
        goto out;
    r = stream_write(t->args->value[OPT_OUT], args_given(t->args, OPT_FORCE), &sealed, e);
out:
    person_close(&signer);
    for (size_t i = 0; to && i < n; i++)
        profile_clear(&to[i]);
    free(to);
    free(keys);
    buf_free(&msg);
    buf_free(&sealed);
    return r;
}

/* One line for people and, with --verdict-fd, one for programs; neither ever goes into the message. */
static int tell_verdict(struct tool *t, const struct protect_verdict *v, struct err *e)
{
    const char *fd_text = t->args->value[OPT_VERDICT_FD];
    struct buf line = BUF_INIT;
    int r = 0;

    mail_tell(v);
    if (!fd_text)
        return 0;
    if (mail_verdict(v, &line) < 0 || buf_puts(&line, "\n") < 0)
        r = err_errno(e, "out of memory");
    else
        r = stream_put(atoi(fd_text), line.data, line.len, e);
    buf_free(&line);
    return r;
}

static int check_verdict_fd(const char *text, struct err *e)
{
    char *end;
    long fd;

    if (!text)
        return 0;
    fd = strtol(text, &end, 10);
    if (*text == 0 || *end || fd < 0 || fd > 1023 || fcntl((int)fd, F_GETFL) < 0)
        return err_set(e, ERR_USAGE, "--verdict-fd %s: not an open file descriptor", text);
    return 0;
}

/* For a mailbox: the message with the status that nobody can have forged; a plain one too. */
static int write_marked(struct tool *t, const struct buf *msg, const struct protect_verdict *v, struct err *e)
{
    struct buf status = BUF_INIT, marked = BUF_INIT;
    int r = 0;

    marked.max = 2 * (size_t)STREAM_MESSAGE_MAX;
    if (v ? buf_puts(&status, "opened ") < 0 || mail_verdict(v, &status) < 0 : buf_puts(&status, "plain") < 0)
        r = err_errno(e, "out of memory");
    else if ((r = mark_message((struct span){(const unsigned char *)buf_str(msg), msg->len}, buf_str(&status), 0,
                               &marked, e)) == 0)
        r = stream_write(t->args->value[OPT_OUT], args_given(t->args, OPT_FORCE), &marked, e);
    buf_free(&status);
    buf_free(&marked);
    return r;
}

int command_open(struct tool *t, struct err *e)
{
    struct buf msg = BUF_INIT, inside = BUF_INIT;
    struct protect_verdict verdict;
    int mark = args_given(t->args, OPT_MARK), r;

    if ((r = check_verdict_fd(t->args->value[OPT_VERDICT_FD], e)) < 0 ||
        (r = stream_read(t->args->word_count ? t->args->words[0] : NULL, &msg, e)) < 0 ||
        (r = mail_open(t, &msg, NULL, &inside, &verdict, e)) < 0)
        goto out;
    if (r > 0) {
        r = mark ? write_marked(t, &msg, NULL, e)
                 : err_set(e, ERR_SYNTAX, "this message is not encrypted as this program knows it");
        goto out;
    }
    if ((r = tell_verdict(t, &verdict, e)) < 0)
        goto out;
    if (verdict.status == PROTECT_BAD && !args_given(t->args, OPT_UNVERIFIED)) {
        r = err_set(e, ERR_CRYPTO, "the message was not written; --unverified writes it in spite of its signature");
        goto out;
    }
    if (mark)
        r = write_marked(t, &inside, &verdict, e);
    else
        r = stream_write(t->args->value[OPT_OUT], args_given(t->args, OPT_FORCE), &inside, e);
    if (r == 0 && verdict.status == PROTECT_BAD)
        r = err_set(e, ERR_CRYPTO, "written with a BAD signature, as you asked");
out:
    buf_free(&msg);
    buf_free(&inside);
    return r;
}
