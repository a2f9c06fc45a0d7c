/* recrypt-lda - delivers one message to one recipient, or serves LMTP. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "deliver.h"
#include "fanout.h"
#include "lmtpd.h"
#include "message.h"
#include "settings.h"

static const char usage[] =
    "usage: recrypt-lda [-v] [-c CONFIG] [-f SENDER] [-a ORIGINAL] [-i QUEUE-ID] -d RECIPIENT <MESSAGE\n"
    "       recrypt-lda [-v] [-c CONFIG] --fanout [-f SENDER] [-i QUEUE-ID] -d RECIPIENT <MESSAGE\n"
    "       recrypt-lda [-v] [-c CONFIG] --lmtp | --lmtp-stdio\n"
    "       recrypt-lda [-c CONFIG] -n\n"
    "Delivers a message with its recipient's own recryption grant to a Maildir, by LMTP or by SMTP.\n"
    "  -c, --config FILE    default " SYSCONFDIR "/recrypt/recrypt-lda.conf\n"
    "  -f SENDER            envelope sender; empty, <> or MAILER-DAEMON for the null sender\n"
    "  -d RECIPIENT         envelope recipient\n"
    "  -a ORIGINAL          recipient as the sender wrote it\n"
    "  -i QUEUE-ID          the mail server's, so that a delivery tried again is not made twice\n"
    "  -n, --check          check the configuration and exit\n"
    "  -v, --verbose        log more\n"
    "      --fanout         RECIPIENT is a large list's: send each member a copy of her own to fanout_server\n"
    "      --lmtp           serve LMTP on lmtp_listen, or on the socket that systemd hands over\n"
    "      --lmtp-stdio     serve one LMTP session on standard input and output\n"
    "      --help, --version\n";

enum mode { MODE_DELIVER, MODE_FANOUT, MODE_CHECK, MODE_LMTP, MODE_LMTP_STDIO };

struct options {
    const char *config;
    struct envelope env;
    enum mode mode;
    int verbose;
};

/* Whatever goes wrong here goes wrong for a message that waits: the mail server must keep it, so it is never
 * EX_USAGE. */
static int fail(const char *text)
{
    fprintf(stderr, "4.3.5 recrypt-lda: %s\n", text);
    return EX_TEMPFAIL;
}

/* What mail servers hand over for the null sender: Sendmail "<>" or this name, pipe(8) this name unless it is told
 * otherwise. */
static const char *sender_given(const char *text)
{
    return !strcmp(text, "<>") || !strcmp(text, "MAILER-DAEMON") ? "" : text;
}

/* Everybody on the host can read a process's arguments, and would learn who is on which list: the addresses are taken
 * out of them. */
static const char *taken(char *arg)
{
    char *own = strdup(arg);

    if (own)
        memset(arg, 'x', strlen(arg));
    return own;
}

/* Negative = go on, else the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
    enum { OPT_LMTP = 256, OPT_LMTP_STDIO, OPT_FANOUT, OPT_HELP, OPT_VERSION };
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'n'},
        {"verbose", no_argument, NULL, 'v'},      {"lmtp", no_argument, NULL, OPT_LMTP},
        {"lmtp-stdio", no_argument, NULL, OPT_LMTP_STDIO}, {"fanout", no_argument, NULL, OPT_FANOUT},
        {"help", no_argument, NULL, OPT_HELP},
        {"version", no_argument, NULL, OPT_VERSION},  {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "c:f:d:a:i:nv", names, NULL)) != -1) {
        switch (c) {
        case 'c': o->config = optarg; break;
        case 'f': o->env.sender = taken(optarg); break;
        case 'd': o->env.recipient = taken(optarg); break;
        case 'a': o->env.original = taken(optarg); break;
        case 'i': o->env.queue_id = optarg; break;
        case 'n': o->mode = MODE_CHECK; break;
        case 'v': o->verbose = 1; break;
        case OPT_LMTP: o->mode = MODE_LMTP; break;
        case OPT_FANOUT: o->mode = MODE_FANOUT; break;
        case OPT_LMTP_STDIO: o->mode = MODE_LMTP_STDIO; break;
        case OPT_HELP: fputs(usage, stdout); return EX_OK;
        case OPT_VERSION: printf("recrypt-lda %s\n", PACKAGE_VERSION); return EX_OK;
        default: return fail("wrong options, see recrypt-lda --help");
        }
    }
    if (optind < argc || (o->mode <= MODE_FANOUT && !o->env.recipient))
        return fail("one recipient is needed (-d), see recrypt-lda --help");
    if (!o->env.sender || !o->env.original)
        return fail("out of memory");
    o->env.sender = sender_given(o->env.sender);
    return -1;
}

/* From here on we are the user who owns the mailboxes, and not root. */
static int become_user(const struct settings *s, struct err *e)
{
    if (*s->user)
        return conf_drop_privileges(s->uid, s->gid, e);
    if (geteuid() == 0 || getuid() == 0)
        return err_set(e, ERR_USAGE, "refusing to deliver as root: set user");
    return 0;
}

static int run_deliver(const struct settings *s, const struct options *o, struct err *e)
{
    struct frame_client *client = NULL;
    struct buf text = BUF_INIT, said = BUF_INIT;
    struct verdict v;
    int r;

    verdict_set(&v, EX_TEMPFAIL, "4.3.0", "cannot deliver now, try again later");
    log_set_id(o->env.queue_id);
    if ((r = message_read(STDIN_FILENO, s->max_message, &text, e)) == 0)
        r = frame_client_new(s->recryptd, s->timeout * 1000, &client, e);
    if (r < 0) {
        log_warn("to=<%s>, %s", o->env.recipient, e->text);
        verdict_error(&v, e);
    } else if (o->mode == MODE_FANOUT) {
        fanout_message(s, client, &o->env, (struct span){text.data, text.len}, &v, &said);
    } else {
        deliver_message(s, client, &o->env, (struct span){text.data, text.len}, &v);
    }
    if (said.len)
        fprintf(stderr, "%s\n", buf_str(&said));
    else if (v.status != EX_OK)
        fprintf(stderr, "%s %s\n", v.enhanced, v.text);
    buf_free(&said);
    frame_client_free(&client);
    buf_free(&text);
    return v.status;
}

static int run(struct settings *s, const struct options *o)
{
    struct err e = {0};
    const char *path = NULL;
    int r, fd = -1;

    log_open("recrypt-lda", s->log_stderr, o->verbose);
    if (o->mode == MODE_LMTP && s->maildir[0] == '%' && s->maildir[1] == 'h')
        r = err_set(&e, ERR_USAGE, "maildir: %%h would be one mailbox for all");
    else if ((r = become_user(s, &e)) == 0 && o->mode == MODE_LMTP)
        r = lmtpd_listen(s, &fd, &path, &e);
    if (r == 0 && s->sandbox)
        r = sandbox_lda(&e);
    if (r == 0 && o->mode <= MODE_FANOUT)
        return run_deliver(s, o, &e);
    if (r == 0)
        r = o->mode == MODE_LMTP ? lmtpd_serve(s, fd, path, &e) : lmtpd_session(s, STDIN_FILENO, STDOUT_FILENO, &e);
    if (r < 0) {
        log_error("%s", e.text);
        return fail("cannot run, the log says why");
    }
    return EX_OK;
}

int main(int argc, char **argv)
{
    static struct options o = {SYSCONFDIR "/recrypt/recrypt-lda.conf", {"", NULL, "", "", 0}, MODE_DELIVER, 0};
    struct settings s;
    struct err e = {0};
    int started = program_start(&e), status = read_options(argc, argv, &o);

    if (status >= 0)
        return status;
    if (started < 0)
        return fail(e.text);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk */
    if (settings_load(o.config, &s, &e) < 0) {
        if (o.mode == MODE_CHECK) {
            fprintf(stderr, "recrypt-lda: %s\n", e.text);
            return EX_CONFIG;
        }
        log_open("recrypt-lda", 0, o.verbose);
        log_error("%s", e.text);
        return fail("the configuration is wrong, the log says where");
    }
    if (o.mode == MODE_CHECK)
        puts("configuration is good");
    status = o.mode == MODE_CHECK ? EX_OK : run(&s, &o);
    settings_clear(&s);
    return status;
}
