#include "maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct maildir_modes maildir_private = {0700, 0600, (gid_t)-1};

int maildir_id(const char *queue_id, const char *recipient, const char *original, struct span msg,
               char id[MAILDIR_ID_SIZE], struct err *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char md[EVP_MAX_MD_SIZE];
    /* Each text with its NUL, so that no two triples run together. */
    int good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
               EVP_DigestUpdate(ctx, queue_id, strlen(queue_id) + 1) &&
               EVP_DigestUpdate(ctx, recipient, strlen(recipient) + 1) &&
               EVP_DigestUpdate(ctx, original, strlen(original) + 1) && EVP_DigestUpdate(ctx, msg.data, msg.len) &&
               EVP_DigestFinal_ex(ctx, md, NULL);

    EVP_MD_CTX_free(ctx);
    if (!good)
        return err_set(e, ERR_SYSTEM, "cannot compute a digest");
    for (size_t i = 0; i < (MAILDIR_ID_SIZE - 1) / 2; i++)
        snprintf(id + 2 * i, 3, "%02x", md[i]);
    return 0;
}

static int sync_dir(int at, const char *path, struct err *e)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

    if (fd < 0 || fsync(fd) < 0)
        r = err_errno(e, "cannot sync %s", path);
    if (fd >= 0)
        close(fd);
    return r;
}

/* Makes one directory; a new one gets its mode whatever the umask says, and its parent is synced. */
static int make_dir(const char *path, const char *parent, const struct maildir_modes *m, struct err *e)
{
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : err_errno(e, "cannot make %s", path);
    if (m->group != (gid_t)-1 && chown(path, (uid_t)-1, m->group) < 0)
        return err_errno(e, "cannot give %s to its group", path);
    if (chmod(path, m->dir) < 0)
        return err_errno(e, "cannot set the mode of %s", path);
    return sync_dir(AT_FDCWD, parent, e);
}

/* Every missing directory from root down to path, and cur, new, tmp in it; tmp last: a Maildir with tmp is complete. */
int maildir_make(const char *root, const char *path, const struct maildir_modes *m, struct err *e)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    size_t root_len = strlen(root), len = strlen(path);
    char parent[PATH_MAX], dir[PATH_MAX];
    struct stat st;
    int r;

    if (len + 8 > sizeof dir)
        return err_set(e, ERR_SYNTAX, "the mailbox's path is too long");
    snprintf(dir, sizeof dir, "%s/tmp", path);
    if (stat(dir, &st) == 0)
        return 0;
    if (stat(root, &st) < 0)
        return err_errno(e, "the mailboxes' directory %s", root);
    snprintf(parent, sizeof parent, "%s", root);
    for (size_t i = root_len; i <= len; i++) {
        if ((path[i] != '/' && path[i] != 0) || i == root_len)
            continue;
        snprintf(dir, sizeof dir, "%.*s", (int)i, path);
        if ((r = make_dir(dir, parent, m, e)) < 0)
            return r;
        memcpy(parent, dir, sizeof parent);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(dir, sizeof dir, "%s/%s", path, names[i]);
        if ((r = make_dir(dir, path, m, e)) < 0)
            return r;
    }
    return 0;
}

/* The id in a file's name; 0 when it has none. */
static int id_in(const char *name, char id[MAILDIR_ID_SIZE])
{
    enum { LEN = MAILDIR_ID_SIZE - 1 };

    for (const char *p = name; (p = strstr(p, ".R")); p += 2)
        if (strspn(p + 2, "0123456789abcdef") == LEN && p[2 + LEN] == '.') {
            snprintf(id, MAILDIR_ID_SIZE, "%s", p + 2);
            return 1;
        }
    return 0;
}

static int each_in(int maildir, const char *sub, maildir_visit *visit, void *arg, struct err *e)
{
    int fd = openat(maildir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char id[MAILDIR_ID_SIZE], name[NAME_MAX + 8];
    struct dirent *de;

    if (!d) {
        err_errno(e, "cannot read %s", sub);
        if (fd >= 0)
            close(fd);
        return ERR_SYSTEM;
    }
    while (r == 0 && (errno = 0, de = readdir(d))) {
        if (!id_in(de->d_name, id))
            continue;
        snprintf(name, sizeof name, "%s/%s", sub, de->d_name);
        r = visit(arg, id, name, e);
    }
    if (r == 0 && errno)
        r = err_errno(e, "cannot read %s", sub);
    closedir(d);
    return r;
}

/* Looks in new first: a reader may move the file from new to cur between the two looks, never back. */
static int each(int maildir, maildir_visit *visit, void *arg, struct err *e)
{
    int r = each_in(maildir, "new", visit, arg, e);

    return r ? r : each_in(maildir, "cur", visit, arg, e);
}

static int is_this(void *arg, const char *id, const char *name, struct err *e)
{
    (void)name;
    (void)e;
    return strcmp(id, arg) == 0;
}

/* The middle of the file's name. With an id it is the same at every try; without, like no other. */
static void unique_part(const char *id, char *out, size_t size)
{
    static unsigned counter;
    unsigned char random[8];
    struct timespec now;
    char hex[2 * sizeof random + 1];

    if (id) {
        snprintf(out, size, "R%s", id);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memset(random, 0, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    snprintf(out, size, "M%ldP%dQ%uX%s", now.tv_nsec / 1000, (int)getpid(), counter++, hex);
}

static void host_part(char *out, size_t size)
{
    if (gethostname(out, size) < 0)
        snprintf(out, size, "localhost");
    out[size - 1] = 0;
    /* '/' would be a directory, ':' begins the flags, ',' the sizes. */
    for (char *p = out; *p; p++)
        if (*p == '/' || *p == ':' || *p == ',' || (unsigned char)*p <= 0x20)
            *p = '_';
}

/* Opens tmp/name, alone: the lock goes with the process, so a file that can be locked belongs to nobody who lives. */
static int open_tmp(int maildir, const char *name, int *out, struct err *e)
{
    for (int tries = 0; tries < 10; tries++) {
        struct stat mine, there;
        int fd = openat(maildir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
            return err_errno(e, "cannot write %s", name);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            return err_set(e, ERR_RETRY, "another process is delivering this message");
        }
        /* Between open and lock the former owner may have moved it to new/ or removed it. */
        if (fstat(fd, &mine) == 0 && fstatat(maildir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev && mine.st_nlink == 1) {
            *out = fd;
            return 0;
        }
        close(fd);
    }
    return err_set(e, ERR_RETRY, "another process is delivering this message");
}

static int write_all(int fd, struct span s, struct err *e)
{
    while (s.len) {
        ssize_t n = write(fd, s.data, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot write the message");
        s.data += n;
        s.len -= (size_t)n;
    }
    return 0;
}

static int fill(int fd, const struct maildir_modes *m, const struct span *pieces, size_t count, struct err *e)
{
    int r;

    if (ftruncate(fd, 0) < 0)
        return err_errno(e, "cannot write the message");
    for (size_t i = 0; i < count; i++)
        if ((r = write_all(fd, pieces[i], e)) < 0)
            return r;
    if (m->group != (gid_t)-1 && fchown(fd, (uid_t)-1, m->group) < 0)
        return err_errno(e, "cannot give the message to its group");
    if (fchmod(fd, m->file) < 0)
        return err_errno(e, "cannot set the message's mode");
    if (fsync(fd) < 0)
        return err_errno(e, "cannot sync the message");
    return 0;
}

/* Octets that msg has with every LF counted as CRLF (Maildir's W=). */
static size_t wire_size(struct span msg)
{
    const unsigned char *p = msg.data, *end = p + msg.len, *nl;
    size_t n = msg.len;

    for (; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
        n += nl == msg.data || nl[-1] != '\r';
    return n;
}

static int sync_maildir(int maildir, struct err *e)
{
    int r = sync_dir(maildir, "new", e);

    return r ? r : sync_dir(maildir, "tmp", e);
}

/* again NULL: nothing here bears the id. */
static int deliver_in(int maildir, const struct maildir_modes *m, const char *id, const struct span *pieces,
                      size_t count, int *again, struct err *e)
{
    char part[MAILDIR_ID_SIZE + 64], host[128], tmp[512], name[600];
    size_t size = 0, wire = 0;
    int fd = -1, r;

    unique_part(id, part, sizeof part);
    host_part(host, sizeof host);
    snprintf(tmp, sizeof tmp, "tmp/%s.%s", part, host);
    if ((r = open_tmp(maildir, tmp, &fd, e)) < 0)
        return r;
    if (id && again && (r = each(maildir, is_this, (void *)id, e)) != 0)
        goto remove;
    if ((r = fill(fd, m, pieces, count, e)) < 0)
        goto remove;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].len;
        wire += wire_size(pieces[i]);
    }
    snprintf(name, sizeof name, "new/%lld.%s.%s,S=%zu,W=%zu", (long long)time(NULL), part, host, size, wire);
    if (renameat(maildir, tmp, maildir, name) < 0) {
        r = err_errno(e, "cannot move the message to new/");
        goto remove;
    }
    r = sync_maildir(maildir, e);
    /* Not on disk for certain and not acknowledged: it must not stay, or without an id it would come twice. */
    if (r < 0)
        unlinkat(maildir, name, 0);
    close(fd);
    return r;

remove:
    unlinkat(maildir, tmp, 0);
    close(fd);
    if (r > 0) {
        *again = 1;
        r = sync_maildir(maildir, e);
    }
    return r;
}

static int deliver(const char *root, const char *path, const struct maildir_modes *modes, const char *id,
                   const struct span *pieces, size_t count, int *again, struct err *e)
{
    int fd, r;

    if ((r = maildir_make(root, path, modes, e)) < 0)
        return r;
    if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return err_errno(e, "cannot open %s", path);
    r = deliver_in(fd, modes, id, pieces, count, again, e);
    close(fd);
    return r < 0 ? r : 0;
}

int maildir_deliver(const char *root, const char *path, const struct maildir_modes *modes, const char *id,
                    const struct span *pieces, size_t count, int *again, struct err *e)
{
    int twice = 0, r = deliver(root, path, modes, id, pieces, count, &twice, e);

    if (again)
        *again = twice;
    return r;
}

int maildir_deliver_fresh(const char *root, const char *path, const struct maildir_modes *modes, const char *id,
                          const struct span *pieces, size_t count, struct err *e)
{
    return deliver(root, path, modes, id, pieces, count, NULL, e);
}

int maildir_each(const char *path, maildir_visit *visit, void *arg, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot open %s", path);
    r = each(fd, visit, arg, e);
    close(fd);
    return r;
}

struct removal {
    int maildir;
    const char *id;
};

static int remove_this(void *arg, const char *id, const char *name, struct err *e)
{
    struct removal *r = arg;

    if (strcmp(id, r->id) != 0 || unlinkat(r->maildir, name, 0) == 0 || errno == ENOENT)
        return 0;
    return err_errno(e, "cannot remove %s", name);
}

int maildir_remove(const char *path, const char *id, struct err *e)
{
    struct removal removal = {open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), id};
    int r;

    if (removal.maildir < 0)
        return err_errno(e, "cannot open %s", path);
    if ((r = each(removal.maildir, remove_this, &removal, e)) == 0 && (r = sync_dir(removal.maildir, "new", e)) == 0)
        r = sync_dir(removal.maildir, "cur", e);
    close(removal.maildir);
    return r;
}
