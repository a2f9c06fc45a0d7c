#include "smtp-server.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"

struct session {
    struct smtp_server *s;
    FILE *in;
    int fd;
    char rcpt[400];
    int open, wanted; /* a transaction is; it has a recipient */
};

static enum smtp_step step_of(const char *line)
{
    static const char *const words[] = {"EHLO", "LHLO", "HELO", "MAIL", "RCPT", "DATA", NULL, "RSET", "QUIT"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i] && strncasecmp(line, words[i], strlen(words[i])) == 0)
            return (enum smtp_step)(i + STEP_EHLO);
    return STEP_OTHER;
}

static int send_text(const struct session *c, const char *text)
{
    const struct timespec pause = {0, c->s->pause_ms * 1000000L};
    size_t len = strlen(text), piece = c->s->pause_ms ? 1 : len;

    for (size_t at = 0; at < len; at += piece) {
        if (send(c->fd, text + at, piece, MSG_NOSIGNAL) < 0)
            return -1;
        if (c->s->pause_ms)
            nanosleep(&pause, NULL);
    }
    return 0;
}

/* The answer that was given, NULL at the end. */
static const char *say(struct session *c, enum smtp_step step)
{
    const char *text = step == STEP_MAIL && c->open ? "503 nested\r\n" : c->s->answer(step, c->rcpt);

    return text && send_text(c, text) == 0 ? text : NULL;
}

/* The message up to its dot. 0 when the client left before. */
static int read_message(FILE *in, struct buf *out)
{
    char line[2000];
    int start = 1;

    while (fgets(line, sizeof line, in)) {
        if (start && !strcmp(line, ".\r\n"))
            return 1;
        buf_puts(out, start && line[0] == '.' ? line + 1 : line);
        start = strchr(line, '\n') != NULL;
    }
    return 0;
}

static int take(struct session *c)
{
    struct buf text = BUF_INIT;
    const char *answer = NULL;

    if (read_message(c->in, &text)) {
        c->open = 0;
        c->s->data_for_nobody += !c->wanted && !text.len;
        answer = say(c, STEP_MESSAGE);
        if (answer && answer[0] == '2')
            buf_printf(&c->s->taken, "%.*s:%s", (int)strcspn(c->rcpt, "@"), c->rcpt, buf_str(&text));
    }
    buf_free(&text);
    return answer != NULL;
}

static void session(struct session *c)
{
    const char *answer = say(c, STEP_GREETING);
    char line[2000];

    while (answer && fgets(line, sizeof line, c->in)) {
        enum smtp_step step = step_of(line);

        buf_printf(&c->s->commands, "%.*s\n", (int)strcspn(line, "\r\n"), line);
        if (step == STEP_RCPT && sscanf(line, "RCPT TO:<%399[^>]>", c->rcpt) != 1)
            c->rcpt[0] = 0;
        if (!(answer = say(c, step)))
            return;
        if (step == STEP_MAIL)
            c->open = 1;
        if (step == STEP_RSET)
            c->open = 0;
        if (step == STEP_MAIL || step == STEP_RCPT)
            c->wanted = step == STEP_RCPT && answer[0] == '2';
        if (step == STEP_DATA && !strncmp(answer, "354", 3) && !take(c))
            return;
    }
}

static void *serve(void *arg)
{
    struct smtp_server *s = arg;
    struct session c = {.s = s, .fd = accept(s->listening, NULL, NULL)};

    if (c.fd >= 0) {
        if ((c.in = fdopen(dup(c.fd), "r"))) {
            session(&c);
            fclose(c.in);
        }
        close(c.fd);
    }
    return NULL;
}

int smtp_server_start(struct smtp_server *s)
{
    buf_reset(&s->commands);
    buf_reset(&s->taken);
    s->data_for_nobody = 0;
    snprintf(s->path, sizeof s->path, "/tmp/recrypt-smtp.%d", (int)getpid());
    if (conf_listen(s->path, 0600, &s->listening, NULL) < 0)
        return -1;
    return pthread_create(&s->thread, NULL, serve, s) ? -1 : 0;
}

void smtp_server_stop(struct smtp_server *s)
{
    /* Whoever never connected leaves it waiting. */
    shutdown(s->listening, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listening);
    unlink(s->path);
}

void smtp_server_clear(struct smtp_server *s)
{
    buf_free(&s->commands);
    buf_free(&s->taken);
}
