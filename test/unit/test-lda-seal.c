/* Mail in the clear that recrypt-lda encrypts. */
#include "lda/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailcrypt.h"
#include "common/protect.h"
#include "unit.h"

static struct jwk *key;
static struct address_info info;
static enum key_state state;
static int key_error;
static struct err e;

/* The service, as this test has it. */
int rclient_key(struct frame_client *c, const char *account_or_keyid, struct jwk **out, enum key_state *st,
                char account[ADDRESS_SIZE], struct err *err)
{
    (void)c;
    *out = NULL;
    *st = state;
    snprintf(account, ADDRESS_SIZE, "%s", info.account);
    if (key_error)
        return err_set(err, key_error, "as told");
    CU_ASSERT_STRING_EQUAL(account_or_keyid, info.keyid);
    return jwk_public_copy(key, out, err);
}

static int no_signer(void *arg, const char *account, const char *kid, struct jwk **out, struct err *err)
{
    (void)arg, (void)account, (void)kid;
    *out = NULL;
    return err_set(err, ERR_ABSENT, "nobody signed");
}

#define HEAD(eol)                                                                                                      \
    "Return-Path: <cron@host>" eol "Received: from a by b;" eol " Sat, 21 Nov 2026" eol                                \
    "From: root <root@example.com>" eol "To: root@example.com" eol "Subject: MARKER in two" eol " MARKER lines" eol    \
    "subject: MARKER again" eol "X-Cron-Env: <MARKER>" eol "MIME-Version: 1.0" eol "mime-version: 1.0 (MARKER)" eol    \
    "Content-Type: text/plain; charset=MARKER" eol "Content-MARKER: x" eol "MARKER no field" eol                       \
    "Bcc: MARKER@example.com" eol "Content-Transfer-Encoding: 8bit" eol "Date: now" eol

static void round_trip(const char *text, const char *eol)
{
    struct span msg = {(const unsigned char *)text, strlen(text)}, header, body;
    struct buf out = BUF_INIT, cipher = BUF_INIT, plain = BUF_INIT, back = BUF_INIT;
    struct protect_verdict v;
    struct mailcrypt m;

    CU_ASSERT_EQUAL_FATAL(seal_message(NULL, &info, msg, &out, &e), 0);
    CU_ASSERT_PTR_NULL(strstr(buf_str(&out), "MARKER"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "Return-Path: <cron@host>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "Received: from a by b;"));
    CU_ASSERT_EQUAL(!strchr(buf_str(&out), '\r'), strcmp(eol, "\n") == 0);
    CU_ASSERT_EQUAL_FATAL(mailcrypt_find_message((struct span){out.data, out.len}, &header, &body, &m, &e), 0);
    CU_ASSERT_EQUAL(m.kind, MAILCRYPT_TWO_PART);
    CU_ASSERT_EQUAL(mime_field_find(header, "Subject", NULL, &e), 1);
    CU_ASSERT_EQUAL(mime_field_find(header, "MIME-Version", NULL, &e), 1);
    CU_ASSERT_EQUAL(mime_field_find(header, "From", NULL, &e), 1);
    CU_ASSERT_EQUAL(mailcrypt_ciphertext(&m, &cipher, &e), 0);
    CU_ASSERT_EQUAL(jwe_decrypt(m.jwe, key, &cipher, &plain, &e), 0);
    CU_ASSERT_EQUAL(protect_open((struct span){plain.data, plain.len}, info.keyid, no_signer, NULL, &back, &v, &e), 0);
    CU_ASSERT_EQUAL(v.status, PROTECT_UNSIGNED);
    CU_ASSERT(back.len == msg.len && !memcmp(back.data, msg.data, msg.len));
    mailcrypt_clear(&m);
    buf_free(&out);
    buf_free(&cipher);
    buf_free(&plain);
    buf_free(&back);
}

static void test_whole(void)
{
    round_trip(HEAD("\n") "\nMARKER\nin the body\n", "\n");
    round_trip(HEAD("\r\n") "\r\nMARKER\r\nin the body\r\n", "\r\n");
    round_trip(HEAD("\n") "\nMARKER without an end", "\n");
    round_trip(HEAD("\n"), "\n");
    round_trip("Return-Path: <cron@host>\nFrom: root@example.com\nReceived: from a by b;", "\n");
}

/* Nothing of a message may be let through because the key is not to be had. */
static void test_later(void)
{
    static const int errors[] = {ERR_ABSENT, ERR_DENIED, ERR_SYNTAX, ERR_RETRY};
    struct span msg = {(const unsigned char *)"From: a@b\n\nx\n", 13};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        key_error = errors[i];
        CU_ASSERT_EQUAL(seal_message(NULL, &info, msg, &out, &e), ERR_RETRY);
        CU_ASSERT_EQUAL(e.code, ERR_RETRY);
    }
    key_error = ERR_SYSTEM;
    CU_ASSERT_EQUAL(seal_message(NULL, &info, msg, &out, &e), ERR_SYSTEM);
    key_error = 0;
    state = KEY_ARCHIVED;
    CU_ASSERT_EQUAL(seal_message(NULL, &info, msg, &out, &e), ERR_RETRY);
    state = KEY_CURRENT;
    CU_ASSERT_EQUAL(out.len, 0);
    buf_free(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"the whole message goes inside, what servers wrote stays outside", test_whole},
        {"without the key the message waits", test_later},
    };
    char udf[JWK_UDF_SIZE];
    int status;

    info.kind = ADDRESS_PERSON;
    strcpy(info.account, "bob@example.com");
    state = KEY_CURRENT;
    if (jwk_generate("X25519", &key, &e) || jwk_udf(key, udf) || keyid_make(info.account, udf, info.keyid, &e) ||
        jwk_set_kid(key, info.keyid))
        return 1;
    status = unit_main("lda-seal", tests, sizeof tests / sizeof *tests);
    jwk_free(&key);
    return status;
}
