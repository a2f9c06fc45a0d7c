#include "keystore-dump.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "../common/b64.h"
#include "../common/sjson.h"
#include "keystore-private.h"

enum { LINE_MAX_OCTETS = 24 << 20, RESTORED_ID_LEN = 16 };

/* A dump being written or read. */
struct stream {
    FILE *file;
    EVP_MD_CTX *md; /* over the lines so far */
    uint64_t records;
    struct buf line;
    const char *table; /* dump: the one being written */
};

static int stream_init(struct stream *s, FILE *file, struct err *e)
{
    memset(s, 0, sizeof *s);
    s->file = file;
    s->line.max = LINE_MAX_OCTETS;
    if (!(s->md = EVP_MD_CTX_new()) || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_SYSTEM, "SHA-256 not available");
    return 0;
}

static void stream_free(struct stream *s)
{
    EVP_MD_CTX_free(s->md);
    buf_free(&s->line);
}

static int digest_hex(struct stream *s, char out[65], struct err *e)
{
    unsigned char md[32];
    unsigned n;

    if (EVP_DigestFinal_ex(s->md, md, &n) != 1 || n != sizeof md)
        return err_set(e, ERR_SYSTEM, "SHA-256 failed");
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    return 0;
}

static int write_line(struct stream *s, struct err *e)
{
    if (EVP_DigestUpdate(s->md, s->line.data, s->line.len) != 1)
        return err_set(e, ERR_SYSTEM, "SHA-256 failed");
    if (fwrite(s->line.data, 1, s->line.len, s->file) != s->line.len)
        return err_errno(e, "cannot write the dump");
    return 0;
}

static int dump_record(void *arg, const void *key, size_t key_len, const void *value, size_t len, struct err *e)
{
    struct stream *s = arg;
    int r;

    buf_reset(&s->line);
    if ((r = buf_printf(&s->line, "{\"t\":\"%s\",\"k\":\"", s->table)) < 0 ||
        (r = b64url_encode(key, key_len, &s->line)) < 0 || (r = buf_puts(&s->line, "\",\"v\":\"")) < 0 ||
        (r = b64url_encode(value, len, &s->line)) < 0 || (r = buf_puts(&s->line, "\"}\n")) < 0)
        return err_set(e, r, "dump: out of memory");
    s->records++;
    return write_line(s, e);
}

static int dump_header(struct stream *s, struct keystore *ks, const char *only, struct err *e)
{
    char when[32];
    uint64_t generation;
    time_t now = time(NULL);
    struct tm tm;
    int r;

    if ((r = keystore_generation(ks, &generation, e)) < 0)
        return r;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (buf_printf(&s->line,
                   "{\"recrypt-keystore\":%d,\"format\":%d,\"generation\":%" PRIu64 ",\"made\":\"%s\"%s%s%s}\n",
                   KEYSTORE_DUMP_VERSION, KEYSTORE_FORMAT, generation, when, only ? ",\"only\":\"" : "",
                   only ? only : "", only ? "\"" : "") < 0)
        return err_set(e, ERR_SYSTEM, "out of memory");
    return write_line(s, e);
}

int keystore_dump(struct keystore *ks, const char *table, FILE *out, uint64_t *records, struct err *e)
{
    struct stream s;
    char hex[65];
    int r = 0, found = table == NULL;

    *records = 0;
    for (int t = 0; t < KEYSTORE_TABLES; t++)
        found |= table && strcmp(table, keystore_table_name((enum keystore_table)t)) == 0;
    if (!found)
        return err_set(e, ERR_USAGE, "no table '%s' (meta, accounts, keys, members, entries, signers, jobs, devices)",
                       table);
    if ((r = stream_init(&s, out, e)) < 0 || (r = dump_header(&s, ks, table, e)) < 0)
        goto out;
    for (int t = 0; t < KEYSTORE_TABLES && r == 0; t++) {
        s.table = keystore_table_name((enum keystore_table)t);
        if (!table || strcmp(table, s.table) == 0)
            r = keystore_scan(ks, (enum keystore_table)t, NULL, 0, dump_record, &s, e);
    }
    if (r < 0 || (r = digest_hex(&s, hex, e)) < 0)
        goto out;
    if (fprintf(out, "{\"records\":%" PRIu64 ",\"sha256\":\"%s\"}\n", s.records, hex) < 0 || fflush(out) != 0)
        r = err_errno(e, "cannot write the dump");
    *records = s.records;
out:
    stream_free(&s);
    return r;
}

/* One line with its end. ERR_SYNTAX when the file ends before. */
static int read_line(struct stream *s, struct err *e)
{
    char chunk[4096];
    size_t n = 0;
    int c, r = 0;

    buf_reset(&s->line);
    do {
        if ((c = getc_unlocked(s->file)) != EOF)
            chunk[n++] = (char)c;
        if ((n == sizeof chunk || c == '\n' || c == EOF) && n > 0) {
            r = buf_append(&s->line, chunk, n);
            n = 0;
        }
    } while (r == 0 && c != EOF && c != '\n');
    if (r < 0)
        return err_set(e, r == ERR_LIMIT ? ERR_SYNTAX : r, r == ERR_LIMIT ? "dump: line too long" : "out of memory");
    if (ferror(s->file))
        return err_errno(e, "cannot read the dump");
    return c == EOF ? err_set(e, ERR_SYNTAX, "dump: cut short") : 0;
}

static int parse_line(struct stream *s, struct json_object **out, struct err *e)
{
    const struct sjson_limits lim = {LINE_MAX_OCTETS, 2, 8};
    int r;

    *out = NULL;
    if ((r = read_line(s, e)) < 0)
        return r;
    if ((r = sjson_parse(s->line.data, s->line.len, &lim, out, e)) < 0)
        return r == ERR_SYSTEM ? r : err_set(e, ERR_SYNTAX, "dump: line %" PRIu64 " is not JSON", s->records + 2);
    return 0;
}

static int load_header(struct stream *s, uint64_t *generation, struct err *e)
{
    static const char *const names[] = {"recrypt-keystore", "format", "generation", "made", NULL};
    struct json_object *obj;
    int64_t version = 0, format = 0, n = 0;
    int r;

    if ((r = parse_line(s, &obj, e)) < 0)
        return r;
    if (sjson_int(obj, "recrypt-keystore", &version, NULL) < 0)
        r = err_set(e, ERR_SYNTAX, "not a dump of a recrypt keystore");
    else if (version != KEYSTORE_DUMP_VERSION)
        r = err_set(e, ERR_UNSUPPORTED, "dump of version %" PRId64 ", this program knows %d", version,
                    KEYSTORE_DUMP_VERSION);
    else if (sjson_has(obj, "only"))
        r = err_set(e, ERR_USAGE, "a dump of one table cannot be loaded");
    else if ((r = sjson_only(obj, names, e)) == 0 && (r = sjson_int(obj, "format", &format, e)) == 0 &&
             (r = sjson_int(obj, "generation", &n, e)) == 0) {
        if (format != KEYSTORE_FORMAT)
            r = err_set(e, ERR_UNSUPPORTED, "dump of a keystore of format %" PRId64, format);
        else if (n < 0)
            r = err_set(e, ERR_SYNTAX, "dump: bad generation");
    }
    json_object_put(obj);
    *generation = (uint64_t)n;
    return r == 0 && EVP_DigestUpdate(s->md, s->line.data, s->line.len) != 1 ? err_set(e, ERR_SYSTEM, "SHA-256") : r;
}

static int is_restored(enum keystore_table t, const struct buf *key)
{
    return t == KEYSTORE_META && key->len == strlen("restored") && memcmp(key->data, "restored", key->len) == 0;
}

static int load_record(struct stream *s, struct keystore *ks, struct json_object *obj, struct err *e)
{
    static const char *const names[] = {"t", "k", "v", NULL};
    struct buf key = BUF_INIT, value = BUF_INIT;
    const char *table;
    int r, t = 0;

    if ((r = sjson_only(obj, names, e)) < 0 || (r = sjson_string(obj, "t", &table, e)) < 0 ||
        (r = sjson_b64(obj, "k", &key, e)) < 0 || (r = sjson_b64(obj, "v", &value, e)) < 0)
        goto out;
    while (t < KEYSTORE_TABLES && strcmp(table, keystore_table_name((enum keystore_table)t)) != 0)
        t++;
    if (t == KEYSTORE_TABLES || key.len == 0)
        r = err_set(e, ERR_SYNTAX, "dump: line %" PRIu64 ": no such table or empty key", s->records + 2);
    else if (!keystore_own_key((enum keystore_table)t, key.data, key.len) && !is_restored((enum keystore_table)t, &key))
        r = keystore_put(ks, (enum keystore_table)t, key.data, key.len, value.data, value.len, e);
    s->records++;
    if (r == 0 && EVP_DigestUpdate(s->md, s->line.data, s->line.len) != 1)
        r = err_set(e, ERR_SYSTEM, "SHA-256");
out:
    buf_free(&key);
    buf_free(&value);
    return r;
}

static int check_trailer(struct stream *s, struct json_object *obj, struct err *e)
{
    const char *sha;
    char hex[65];
    int64_t n;
    int r;

    if ((r = sjson_int(obj, "records", &n, e)) < 0 || (r = sjson_string(obj, "sha256", &sha, e)) < 0 ||
        (r = digest_hex(s, hex, e)) < 0)
        return r;
    if (n < 0 || (uint64_t)n != s->records || strcmp(sha, hex) != 0)
        return err_set(e, ERR_SYNTAX, "dump: its last line does not agree with the others: changed or incomplete");
    return getc(s->file) == EOF ? 0 : err_set(e, ERR_SYNTAX, "dump: more behind its last line");
}

static int load_records(struct stream *s, struct keystore *ks, struct err *e)
{
    struct json_object *obj;
    int r, last;

    do {
        if ((r = parse_line(s, &obj, e)) < 0)
            return r;
        last = sjson_has(obj, "records");
        r = last ? check_trailer(s, obj, e) : load_record(s, ks, obj, e);
        json_object_put(obj);
    } while (r == 0 && !last);
    return r;
}

static int put_restored(struct keystore *ks, struct err *e)
{
    unsigned char id[RESTORED_ID_LEN];
    struct buf text = BUF_INIT;
    int r;

    if (RAND_bytes(id, sizeof id) != 1 || b64url_encode(id, sizeof id, &text) < 0)
        r = err_set(e, ERR_SYSTEM, "no random octets");
    else
        r = keystore_put(ks, KEYSTORE_META, "restored", strlen("restored"), text.data, text.len, e);
    buf_free(&text);
    return r;
}

int keystore_load(const char *type, const char *location, FILE *in, uint64_t *records, struct err *e)
{
    struct keystore *ks = NULL;
    struct stream s;
    uint64_t generation = 0;
    int r;

    *records = 0;
    if ((r = stream_init(&s, in, e)) < 0 || (r = load_header(&s, &generation, e)) < 0 ||
        (r = keystore_open_to_load(type, location, &ks, e)) < 0 || (r = keystore_begin(ks, e)) < 0)
        goto out;
    if ((r = load_records(&s, ks, e)) < 0 || (r = put_restored(ks, e)) < 0 ||
        (r = keystore_loaded(ks, generation, e)) < 0 || (r = keystore_commit(ks, e)) < 0)
        keystore_abort(ks);
    else
        *records = s.records;
out:
    if (ks)
        keystore_close(&ks);
    stream_free(&s);
    return r;
}
