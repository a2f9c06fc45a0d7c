#include "passphrase.h"

#include <fcntl.h>
#include <openssl/ui.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"

int passphrase_first_line(struct buf *b, const char *what, struct err *e)
{
    unsigned char *end = b->data ? memchr(b->data, '\n', b->len) : NULL;

    if (end)
        b->len = (size_t)(end - b->data);
    while (b->len && b->data[b->len - 1] == '\r')
        b->len--;
    if (b->len == 0)
        return err_set(e, ERR_USAGE, "the %s is empty", what);
    if (memchr(b->data, 0, b->len))
        return err_set(e, ERR_USAGE, "the %s has a NUL octet", what);
    b->data[b->len] = 0;
    return 0;
}

/* Allocated at once: growing must not leave pieces behind, and the cap is known. */
static int reserve(struct buf *out, struct err *e)
{
    return buf_reserve(out, PASSPHRASE_MAX + 1) < 0 ? err_errno(e, "out of memory") : 0;
}

int passphrase_file(const char *path, const char *what, struct buf *out, struct err *e)
{
    struct stat st;
    int r;

    if (stat(path, &st) < 0)
        return err_errno(e, "%s file %s", what, path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(e, ERR_DENIED, "%s: others may read this %s; chmod 600 it", path, what);
    if ((r = reserve(out, e)) < 0 || (r = file_read(path, PASSPHRASE_MAX, out, e)) < 0)
        return r;
    return passphrase_first_line(out, what, e);
}

int passphrase_terminal(const char *prompt, int twice, const char *what, const char *instead, struct buf *out,
                        struct err *e)
{
    int fd, r;

    /* Looked at here because OpenSSL would otherwise read standard input, where a message may come from. */
    if ((fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return err_set(e, ERR_USAGE, "a %s is needed and there is no terminal; %s", what, instead);
    close(fd);
    if ((r = reserve(out, e)) < 0)
        return r;
    if (UI_UTIL_read_pw_string((char *)out->data, PASSPHRASE_MAX, prompt, twice) != 0)
        return err_set(e, ERR_USAGE, "no %s was read%s; nothing was done", what, twice ? ", or the two differ" : "");
    out->len = strlen((char *)out->data);
    return passphrase_first_line(out, what, e);
}

int passphrase_ask(const char *prompt, int twice, struct buf *out, struct err *e)
{
    const char *path = getenv("RECRYPT_PASSPHRASE_FILE");

    if (path && *path)
        return passphrase_file(path, "passphrase", out, e);
    return passphrase_terminal(prompt, twice, "passphrase", "set RECRYPT_PASSPHRASE_FILE", out, e);
}
