#include "passphrase.h"

#include <fcntl.h>
#include <openssl/ui.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"

static int first_line(struct buf *b, struct err *e)
{
    unsigned char *end = b->data ? memchr(b->data, '\n', b->len) : NULL;

    if (end)
        b->len = (size_t)(end - b->data);
    while (b->len && b->data[b->len - 1] == '\r')
        b->len--;
    if (b->len == 0)
        return err_set(e, ERR_USAGE, "the passphrase is empty");
    if (memchr(b->data, 0, b->len))
        return err_set(e, ERR_USAGE, "the passphrase has a NUL octet");
    b->data[b->len] = 0;
    return 0;
}

static int from_file(const char *path, struct buf *out, struct err *e)
{
    struct stat st;
    int r;

    if (stat(path, &st) < 0)
        return err_errno(e, "RECRYPT_PASSPHRASE_FILE %s", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(e, ERR_DENIED, "%s: others may read this passphrase; chmod 600 it", path);
    if ((r = file_read(path, PASSPHRASE_MAX, out, e)) < 0)
        return r;
    return first_line(out, e);
}

static int from_terminal(const char *prompt, int twice, struct buf *out, struct err *e)
{
    if (UI_UTIL_read_pw_string((char *)out->data, PASSPHRASE_MAX, prompt, twice) != 0)
        return err_set(e, ERR_USAGE, "no passphrase was read%s; nothing was done", twice ? ", or the two differ" : "");
    out->len = strlen((char *)out->data);
    return first_line(out, e);
}

int passphrase_ask(const char *prompt, int twice, struct buf *out, struct err *e)
{
    const char *path = getenv("RECRYPT_PASSPHRASE_FILE");
    int fd;

    /* Allocated at once: growing must not leave pieces behind, and the cap is known. */
    if (buf_reserve(out, PASSPHRASE_MAX + 1) < 0)
        return err_errno(e, "out of memory");
    if (path && *path)
        return from_file(path, out, e);
    /* Looked at here because OpenSSL would otherwise read standard input, where a message may come from. */
    if ((fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return err_set(e, ERR_USAGE, "a passphrase is needed and there is no terminal; set RECRYPT_PASSPHRASE_FILE");
    close(fd);
    return from_terminal(prompt, twice, out, e);
}
