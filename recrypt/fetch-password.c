/* The password of an IMAP account: a command's first line, a file's, or what is typed. Never on a command line of
 * ours. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetch-conf.h"
#include "passphrase.h"

extern char **environ;

static int start(const char *command, pid_t *pid, int *out, struct err *e)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, "password_command");
    if ((r = posix_spawn_file_actions_init(&actions)) == 0) {
        if ((r = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)) == 0)
            r = posix_spawn(pid, "/bin/sh", &actions, NULL, (char *const *)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (r == 0) {
        *out = ends[0];
        return 0;
    }
    close(ends[0]);
    errno = r;
    return err_errno(e, "password_command");
}

/* All that the command prints, up to the cap; the rest is read and forgotten, so that it ends. */
static int read_output(int fd, struct buf *out, struct err *e)
{
    unsigned char chunk[PASSPHRASE_MAX];
    ssize_t n;
    int r = 0;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = err_errno(e, "password_command");
            break;
        }
        if (out->len + (size_t)n <= PASSPHRASE_MAX)
            buf_append(out, chunk, (size_t)n);
        else
            r = err_set(e, ERR_USAGE, "password_command prints too much");
    }
    secret_wipe(chunk, sizeof chunk);
    return r;
}

static int from_command(const char *command, struct buf *out, struct err *e)
{
    pid_t pid;
    int fd, status, r;

    if (buf_reserve(out, PASSPHRASE_MAX + 1) < 0) /* growing must not leave pieces behind */
        return err_errno(e, "out of memory");
    if ((r = start(command, &pid, &fd, e)) < 0)
        return r;
    r = read_output(fd, out, e);
    close(fd);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "password_command");
    if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        r = err_set(e, ERR_RETRY, "password_command failed");
    return r < 0 ? r : passphrase_first_line(out, "password", e);
}

int fetch_password(const struct fetch_conf *c, struct buf *out, struct err *e)
{
    char prompt[FETCH_HOST_SIZE + ADDRESS_SIZE + 32];

    if (c->password_command)
        return from_command(c->password_command, out, e);
    if (*c->password_file)
        return passphrase_file(c->password_file, "password", out, e);
    snprintf(prompt, sizeof prompt, "Password of %s at %s: ", c->user, c->host);
    err_printable(prompt);
    return passphrase_terminal(prompt, 0, "password",
                               "write password_command or password_file into recrypt.conf", out, e);
}
