/* Values of a configuration: what is taken, what is refused and how, certificate and key once root's rights are gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf-take.h"
#include "common/conf.h"
#include "unit.h"

static char dir[] = "/tmp/recrypt-take-XXXXXX";

static const char *in_dir(const char *name)
{
    return unit_path(dir, name);
}

static void put(const char *name, const char *text)
{
    CU_ASSERT_EQUAL_FATAL(file_write(in_dir(name), text, strlen(text), 0600, NULL), 0);
}

static cfg_t *load(const char *text)
{
    cfg_opt_t opts[] = {CFG_STR("text", "", CFGF_NONE), CFG_INT("number", 5, CFGF_NONE),
                        CFG_STR("tls_certificate", "", CFGF_NONE), CFG_STR("tls_key", "", CFGF_NONE), CFG_END()};
    cfg_t *cfg;

    put("conf", text);
    CU_ASSERT_EQUAL_FATAL(conf_load(in_dir("conf"), opts, &cfg, NULL), 0);
    return cfg;
}

enum kind { NUMBER, SIZE, SECONDS, MODE, WORD, DOMAIN, ADDRESS };

/* The value, as text; what was wrong with it. */
static int take(enum kind kind, const char *text, char out[128])
{
    static const char *const words[] = {"no", "perhaps", NULL};
    char line[160], *canonical = NULL;
    struct err e = {0, ""};
    cfg_t *cfg;
    int64_t seconds;
    mode_t mode;
    size_t size;
    long number;
    int r, word;

    snprintf(line, sizeof line, kind == NUMBER ? "number = %s" : "text = \"%s\"", text);
    cfg = load(line);
    switch (kind) {
    case NUMBER:
        if ((r = conf_take_number(cfg, "number", -3, 100, &number, &e)) == 0)
            snprintf(out, 128, "%ld", number);
        break;
    case SIZE:
        if ((r = conf_take_size(cfg, "text", 1024, 3 << 20, &size, &e)) == 0)
            snprintf(out, 128, "%zu", size);
        break;
    case SECONDS:
        if ((r = conf_take_seconds(cfg, "text", 90, 7200, &seconds, &e)) == 0)
            snprintf(out, 128, "%lld", (long long)seconds);
        break;
    case MODE:
        if ((r = conf_take_mode(cfg, "text", 0002, &mode, &e)) == 0)
            snprintf(out, 128, "%o", (unsigned)mode);
        break;
    case WORD:
        if ((r = conf_take_word(cfg, "text", words, &word, &e)) == 0)
            snprintf(out, 128, "%d", word);
        break;
    default:
        if ((r = conf_canonical("text", cfg_getstr(cfg, "text"), kind == DOMAIN, &canonical, &e)) == 0)
            snprintf(out, 128, "%s", canonical);
    }
    if (r < 0)
        snprintf(out, 128, "%s", e.text);
    free(canonical);
    cfg_free(cfg);
    return r;
}

static void test_values(void)
{
    static const struct {
        enum kind kind;
        const char *text, *value; /* value NULL: refused with says */
        const char *says;
    } rows[] = {
        {NUMBER, "-3", "-3", NULL},
        {NUMBER, "100", "100", NULL},
        {NUMBER, "101", NULL, "number: 101 is not between -3 and 100"},
        {SIZE, "1k", "1024", NULL},
        {SIZE, "3M", "3145728", NULL},
        {SIZE, "1023", NULL, "text: 1023 is not between 1k and 3M"},
        {SIZE, "3145729", NULL, "text: 3145729 is not between 1k and 3M"},
        {SIZE, "much", NULL, "text: 'much' is not a size (as 1048576, 512k, 25M)"},
        {SECONDS, "2h", "7200", NULL},
        {SECONDS, "89s", NULL, "text: 89s is not between 90s and 2h"},
        {SECONDS, "7201", NULL, "text: 7201 is not between 90s and 2h"},
        {SECONDS, "soon", NULL, "text: 'soon' is not a time (as 90s, 10m, 2h, 7d)"},
        {MODE, "0660", "660", NULL},
        {MODE, "2770", "2770", NULL},
        {MODE, "0662", NULL, "text: 0662 has bits of 0002, which it may not"},
        {MODE, "689", NULL, "text: \"689\" is not a mode in octal, such as 0660"},
        {MODE, "4755", NULL, "text: \"4755\" is not a mode in octal, such as 0660"},
        {MODE, "", NULL, "text: \"\" is not a mode in octal, such as 0660"},
        {MODE, "-1", NULL, "text: \"-1\" is not a mode in octal, such as 0660"},
        {WORD, "no", "0", NULL},
        {WORD, "perhaps", "1", NULL},
        {WORD, "yes", NULL, "text: \"yes\" is none of \"no\", \"perhaps\""},
        {DOMAIN, "Example.COM", "example.com", NULL},
        {DOMAIN, "exa mple.com", NULL, "text: \"exa mple.com\" is not a domain"},
        {DOMAIN, "a@b.example", NULL, "text: \"a@b.example\" is not a domain"},
        {DOMAIN, "", NULL, "text: \"\" is not a domain"},
        {ADDRESS, "Ann@Example.COM", "ann@example.com", NULL},
        {ADDRESS, "example.com", NULL, "text: \"example.com\" is not a mail address"},
    };
    char got[128];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(take(rows[i].kind, rows[i].text, got), rows[i].value ? 0 : ERR_USAGE);
        if (strcmp(got, rows[i].value ? rows[i].value : rows[i].says) != 0)
            printf("# %s: %s\n", rows[i].text, got);
        CU_ASSERT_STRING_EQUAL(got, rows[i].value ? rows[i].value : rows[i].says);
    }
}

/* Longer than an address can be: refused, not cut to one that is good. */
static void test_long_name(void)
{
    char name[600], *out;
    struct err e;

    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (size_t i = 50; i < sizeof name - 1; i += 50)
        name[i] = '.';
    CU_ASSERT_EQUAL(conf_canonical("domains", name, 1, &out, &e), ERR_USAGE);
    CU_ASSERT_PTR_NULL(out);
    name[1] = '@';
    CU_ASSERT_EQUAL(conf_canonical("administrators", name, 0, &out, &e), ERR_USAGE);
    CU_ASSERT_PTR_NULL(out);
}

static int tls(const char *certificate, const char *key, int read, const struct conf_tls *former, struct conf_tls *out,
               struct err *e)
{
    char text[400];
    cfg_t *cfg;
    int r;

    snprintf(text, sizeof text, "tls_certificate = \"%s\"\ntls_key = \"%s\"\n", certificate, key);
    cfg = load(text);
    r = conf_take_tls(cfg, read, former, out, e);
    cfg_free(cfg);
    return r;
}

static void test_tls(void)
{
    struct conf_tls t;
    struct err e;

    put("cert", "certificate");
    put("key", "secret");
    CU_ASSERT_EQUAL(tls("", "", 1, NULL, &t, &e), 0);
    CU_ASSERT_EQUAL(t.key_pem.len, 0);
    conf_tls_clear(&t);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), "", 1, NULL, &t, &e), ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(e.text, "tls_certificate and tls_key: one is there without the other");
    conf_tls_clear(&t);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("none"), 1, NULL, &t, &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "tls_key: "));
    conf_tls_clear(&t);
    CU_ASSERT_EQUAL(tls(in_dir("none"), in_dir("key"), 1, NULL, &t, &e), ERR_ABSENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "tls_certificate: "));
    conf_tls_clear(&t);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("key"), 0, NULL, &t, &e), 0);
    CU_ASSERT_EQUAL(t.key_pem.len, 0);
    conf_tls_clear(&t);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("key"), 1, NULL, &t, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&t.key_pem), "secret");
    conf_tls_clear(&t);
}

/* A reload as the user that the program became: the key is root's, and stays as it was read; another one is not taken.
 */
static void test_tls_kept(void)
{
    struct conf_tls first, again;
    struct err e;
    int root = geteuid() == 0;

    put("cert", "certificate");
    put("key", "secret");
    put("other", "another secret");
    CU_ASSERT_EQUAL_FATAL(tls(in_dir("cert"), in_dir("key"), 1, NULL, &first, &e), 0);
    put("cert", "new certificate");
    CU_ASSERT_EQUAL_FATAL(chmod(in_dir("key"), 0), 0);
    CU_ASSERT_EQUAL_FATAL(chmod(in_dir("other"), 0), 0);
    CU_ASSERT_EQUAL_FATAL(chmod(in_dir("cert"), 0644), 0);
    CU_ASSERT_FATAL(!root || (chmod(dir, 0777) == 0 && setresuid(65534, 65534, 0) == 0));
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("key"), 1, &first, &again, &e), 0);
    CU_ASSERT_STRING_EQUAL(buf_str(&again.key_pem), "secret");
    CU_ASSERT_STRING_EQUAL(buf_str(&again.certificate_pem), "certificate");
    conf_tls_clear(&again);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("key"), 1, NULL, &again, &e), ERR_SYSTEM);
    conf_tls_clear(&again);
    CU_ASSERT_EQUAL(tls(in_dir("cert"), in_dir("other"), 1, &first, &again, &e), ERR_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "Permission denied"));
    conf_tls_clear(&again);
    CU_ASSERT_FATAL(!root || setresuid(0, 0, 0) == 0);
    conf_tls_clear(&first);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"values within their bounds, and what is said of others", test_values},
        {"a name that is too long", test_long_name},
        {"certificate and key", test_tls},
        {"certificate and key, no longer readable", test_tls_kept},
    };

    return unit_main_in(dir, "conf-take", tests, sizeof tests / sizeof *tests);
}
