#include "fetch-conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "stream.h"

/* A path in recrypt.conf: absolute, or below the user's home. */
static int conf_path(const char *what, const char *text, char out[PATH_MAX], struct err *e)
{
    const char *user = getenv("HOME");
    int n;

    if (strncmp(text, "~/", 2) == 0 && user && *user)
        n = snprintf(out, PATH_MAX, "%s%s", user, text + 1);
    else if (text[0] == '/')
        n = snprintf(out, PATH_MAX, "%s", text);
    else
        return err_set(e, ERR_USAGE, "%s = %s: write the whole path, from / or ~/ on", what, text);
    return n < PATH_MAX ? 0 : err_set(e, ERR_USAGE, "%s: too long", what);
}

/* What --into says is as seen from here, and the Maildir itself need not be there yet. */
static int into_path(const char *text, char out[PATH_MAX], struct err *e)
{
    char here[PATH_MAX];
    int n;

    if (text[0] == '/')
        n = snprintf(out, PATH_MAX, "%s", text);
    else if (!getcwd(here, sizeof here))
        return err_errno(e, "the current directory");
    else
        n = snprintf(out, PATH_MAX, "%s/%s", here, text);
    return n < PATH_MAX ? 0 : err_set(e, ERR_USAGE, "--into: too long");
}

static int find_maildir(const struct home_imap *s, const char *mailbox, const char *into, struct fetch_conf *out,
                        struct err *e)
{
    size_t len;
    int r;

    if (!into && mailbox && strcmp(mailbox, s->mailbox) != 0)
        return err_set(e, ERR_USAGE, "say where the messages of %s go: --into MAILDIR", mailbox);
    if (!into && !s->maildir)
        return err_set(e, ERR_USAGE, "say where the messages go: --into MAILDIR, or maildir = in recrypt.conf");
    r = into ? into_path(into, out->maildir, e) : conf_path("maildir", s->maildir, out->maildir, e);
    if (r < 0)
        return r;
    for (len = strlen(out->maildir); len > 1 && out->maildir[len - 1] == '/'; len--)
        out->maildir[len - 1] = 0;
    return len > 1 ? 0 : err_set(e, ERR_USAGE, "/ is no place for a Maildir");
}

static int find_section(const struct home *h, const char *word, struct home_imap *s, char account[ADDRESS_SIZE],
                        struct err *e)
{
    int r;

    if (!word && home_imap(h, NULL, s) == 0)
        return tool_address(s->account, account, e);
    if ((r = word ? tool_address(word, account, e) : home_reader(h, account, e)) < 0)
        return r;
    if (home_imap(h, account, s) < 0)
        return err_set(e, ERR_USAGE,
                       "%s/recrypt.conf does not say where %s has its mail; write there: imap \"%s\" { url = "
                       "\"imaps://HOST\" maildir = \"~/Mail/%s\" }", home_dir(h), account, account, account);
    return 0;
}

static int read_limits(const struct home_imap *s, struct fetch_conf *out, struct err *e)
{
    int64_t seconds;
    int r;

    if ((r = conf_size(s->max_size, &out->max_size, e)) < 0)
        return err_prefix(e, "max_size");
    if ((r = conf_seconds(s->timeout, &seconds, e)) < 0)
        return err_prefix(e, "timeout");
    if (out->max_size < 1 || out->max_size > STREAM_MESSAGE_MAX)
        return err_set(e, ERR_USAGE, "max_size: at most %dM", STREAM_MESSAGE_MAX >> 20);
    if (seconds < 1 || seconds > 3600)
        return err_set(e, ERR_USAGE, "timeout: 1s to 3600s");
    out->timeout = (int)seconds;
    return 0;
}

int fetch_conf_read(const struct home *h, const char *word, const char *mailbox, const char *into,
                    struct fetch_conf *out, struct err *e)
{
    struct home_imap s;
    int r;

    memset(out, 0, sizeof *out);
    if ((r = find_section(h, word, &s, out->account, e)) < 0)
        return r;
    if (!s.url)
        r = err_set(e, ERR_USAGE, "url is missing");
    else if ((r = fetch_conf_url(s.url, s.cleartext, out, e)) == 0 &&
             (r = fetch_conf_mailbox(mailbox ? mailbox : s.mailbox, out->mailbox, e)) == 0 &&
             (r = find_maildir(&s, mailbox, into, out, e)) == 0 && (r = read_limits(&s, out, e)) == 0 &&
             (!s.ca || (r = conf_path("ca", s.ca, out->ca, e)) == 0) && s.password_file)
        r = conf_path("password_file", s.password_file, out->password_file, e);
    for (const char *p = s.user ? s.user : ""; r == 0 && *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            r = err_set(e, ERR_USAGE, "user: a control character in it");
    if (r == 0 && s.password_command && s.password_file)
        r = err_set(e, ERR_USAGE, "password_command and password_file exclude each other");
    if (r < 0)
        return err_prefix(e, "imap \"%s\"", s.account);
    out->user = s.user ? s.user : s.account;
    out->password_command = s.password_command;
    return 0;
}
