/* A text of lines, each a key's UDF and seconds since 1970. */
#include "removed.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* The text, "" when there is none yet. */
static int load(const struct home *h, const char *account, char path[PATH_MAX], struct buf *text, struct err *e)
{
    int r = home_path(h, 0, path, e, "persons", "/removed", account, NULL, NULL);

    r = r < 0 ? r : file_read(path, HOME_FILE_MAX, text, e);
    return r == ERR_ABSENT ? 0 : r;
}

/* The key's line; NULL = none. */
static const char *find(const struct buf *text, const char *key_udf)
{
    size_t len = strlen(key_udf);

    for (const char *at = buf_str(text); *at; at = strchr(at, '\n') + 1) {
        if (strncmp(at, key_udf, len) == 0 && at[len] == ' ')
            return at;
        if (!strchr(at, '\n'))
            return NULL;
    }
    return NULL;
}

/* The text without the key's line, if there is one, and with what is added. */
static int change(const struct home *h, const char *account, const char *key_udf, const char *added, struct err *e)
{
    struct buf text = BUF_INIT, next = BUF_INIT;
    const char *line, *end;
    char path[PATH_MAX];
    int r = load(h, account, path, &text, e);

    if (r < 0)
        goto out;
    line = find(&text, key_udf);
    end = line ? strchr(line, '\n') : NULL;
    if ((line && buf_append(&next, text.data, (size_t)(line - buf_str(&text))) < 0) ||
        buf_puts(&next, end ? end + 1 : line ? "" : buf_str(&text)) < 0 || buf_puts(&next, added) < 0)
        r = err_errno(e, "out of memory");
    else if (line || *added)
        r = file_write(path, next.data, next.len, 0600, e);
out:
    buf_free(&text);
    buf_free(&next);
    return r;
}

int removed_note(const struct home *h, const char *account, const char *key_udf, struct err *e)
{
    char line[JWK_UDF_SIZE + 32];

    snprintf(line, sizeof line, "%s %lld\n", key_udf, (long long)time(NULL));
    return change(h, account, key_udf, line, e);
}

int removed_find(const struct home *h, const char *account, const char *key_udf, time_t *when, struct err *e)
{
    struct buf text = BUF_INIT;
    const char *line = NULL;
    char path[PATH_MAX];
    int r = load(h, account, path, &text, e);

    if (r == 0 && (line = find(&text, key_udf)))
        *when = (time_t)strtoll(line + strlen(key_udf), NULL, 10);
    buf_free(&text);
    return r < 0 ? r : line != NULL;
}

int removed_forget(const struct home *h, const char *account, const char *key_udf, struct err *e)
{
    return change(h, account, key_udf, "", e);
}
