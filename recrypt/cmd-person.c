/* personal, key, fingerprint: who one is, and who others are. */
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "devices.h"
#include "known.h"
#include "list.h"
#include "person.h"
#include "tool.h"

/* The signature key: the one an earlier run made, or a new one. */
static int own_signer(struct tool *t, const char *account, struct jwk **sign, struct err *e)
{
    const struct buf *pass;
    char path[PATH_MAX];
    int r;

    if ((r = home_path(t->home, 0, path, e, "persons", "/sign.jwk", account, NULL, NULL)) < 0)
        return r;
    if (person_exists(t->home, account))
        return home_key_load(t->home, path, sign, NULL, e);
    if ((r = home_passphrase(t->home, args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        return r;
    if ((r = person_make_key(account, "Ed25519", sign, e)) == 0 &&
        (r = person_save_key(t->home, "persons", account, *sign, pass, e)) < 0)
        jwk_free(sign);
    return r;
}

/* The profile to register: as registered, as an interrupted run left it, or with a new key. */
static int own_profile(struct tool *t, const char *account, struct buf *text, struct profile *p, struct err *e)
{
    const char *suite = t->args->value[OPT_SUITE];
    const struct buf *pass;
    struct jwk *sign = NULL;
    int r;

    if ((r = list_profile_load(t->home, "persons", account, "profile.jws", text, p, e)) != ERR_ABSENT ||
        (r = list_profile_pending(t->home, "persons", account, text, p, e)) != ERR_ABSENT) {
        if (r == 0 && suite && suite_by_name(suite) != jwk_suite(p->key))
            r = err_set(e, ERR_EXISTS, "%s has a %s key already", account, suite_name(jwk_suite(p->key)));
        return r;
    }
    if ((r = own_signer(t, account, &sign, e)) < 0 ||
        (r = home_passphrase(t->home, args_given(t->args, OPT_PASSPHRASE), &pass, e)) < 0)
        goto out;
    snprintf(p->account, sizeof p->account, "%s", account);
    snprintf(p->owner, sizeof p->owner, "%s", account);
    p->epoch = 1;
    r = list_profile_new(t->home, "persons", suite ? suite : "X25519", sign, pass, p, text, e);
out:
    jwk_free(&sign);
    return r;
}

static int set_person(struct tool *t, const struct profile *p, const struct buf *text, struct err *e)
{
    const char *token = t->args->value[OPT_TOKEN];
    struct json_object *body = json_object_new_object(), *person = json_object_new_object(), *reply = NULL;
    struct jwk *sign = NULL;
    struct web *w;
    int r;

    if ((r = own_signer(t, p->account, &sign, e)) < 0 || (r = services_for(t->services, p->account, &w, e)) < 0 ||
        (r = list_set_text(person, "Profile", text, e)) < 0)
        goto out;
    if ((token && sjson_set_string(person, "Token", token) < 0) ||
        sjson_set_object(body, "Person", json_object_get(person)) < 0) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    r = web_call(w, "Set", body, sign, &reply, e);
    if (r == ERR_DENIED)
        err_prefix(e, "%s did not register %s (an invitation goes with --token; ask its operator for one)",
                   web_where(w), p->account);
out:
    json_object_put(body);
    json_object_put(person);
    json_object_put(reply);
    jwk_free(&sign);
    return r;
}

int command_personal(struct tool *t, struct err *e)
{
    char account[ADDRESS_SIZE], udf[JWK_UDF_SIZE];
    struct buf text = BUF_INIT;
    struct profile p;
    int r;

    memset(&p, 0, sizeof p);
    if ((r = tool_address(t->args->words[0], account, e)) < 0 || (r = home_lock(t->home, e)) < 0)
        return r;
    if (devices_exists(t->home, account))
        return err_set(e, ERR_EXISTS, "this machine is a device of %s, whose own key is elsewhere", account);
    if ((r = own_profile(t, account, &text, &p, e)) < 0 || (r = services_has(t->services, &p, e)) < 0 ||
        (r == 0 && (r = set_person(t, &p, &text, e)) < 0))
        goto out;
    if ((r = list_profile_done(t->home, "persons", account, &text, e)) < 0 || (r = jwk_udf(p.signer, udf)) < 0)
        goto out;
    printf("%s\nsigner %s\n", p.keyid, udf);
out:
    if (p.key)
        t->again = "your keys are kept; run the same command again";
    profile_clear(&p);
    buf_free(&text);
    return r;
}

int command_key(struct tool *t, struct err *e)
{
    int flags = (args_given(t->args, OPT_ACCEPT_NEW) ? KNOWN_ACCEPT_NEW : 0) |
                (args_given(t->args, OPT_OFFLINE) ? KNOWN_OFFLINE : 0);
    struct json_object *key = NULL;
    struct buf text = BUF_INIT;
    struct profile p;
    char state[16];
    int r;

    if ((r = known_fetch(t->home, t->services, t->args->words[0], flags, &p, state, e)) < 0)
        return r;
    if (!args_given(t->args, OPT_JSON)) {
        printf("%s\n", p.keyid);
    } else if ((r = jwk_set_kid(p.key, p.keyid)) == 0 && (r = jwk_to_json(p.key, 0, &key, e)) == 0) {
        if ((r = sjson_write(key, &text)) < 0)
            err_errno(e, "out of memory");
        else
            printf("%s\n", buf_str(&text));
    }
    if (strcmp(state, "archived") == 0)
        tool_note("this key is no longer the current one of %s; mail to it is still accepted", p.account);
    if (strcmp(state, "retired") == 0)
        tool_note("WARNING: this key is retired: mail to it is refused");
    json_object_put(key);
    buf_free(&text);
    profile_clear(&p);
    return r;
}

static int print_profile(const struct profile *p)
{
    char key[JWK_UDF_SIZE], signer[JWK_UDF_SIZE];

    if (jwk_udf(p->key, key) < 0 || jwk_udf(p->signer, signer) < 0)
        return ERR_SYSTEM;
    printf("%s\n  key    %s\n  signer %s%s%s\n", p->account, key, signer, p->kind == PROFILE_LIST ? " of " : "",
           p->kind == PROFILE_LIST ? p->owner : "");
    return 0;
}

/* This machine as a device: the code that stands for its keys, and the key. */
static int print_device(void *arg, const char *name, struct err *e)
{
    struct tool *t = arg;
    struct own_device d;
    int r = devices_open(t->home, name, &d, e);

    if (r == 0) {
        printf("%s\n  device %s (%s)\n  key    %s\n", d.is.account, d.is.name, d.is.code, d.is.key_udf);
        devices_close(&d);
    }
    return r == ERR_ABSENT ? 0 : r;
}

static int print_own(void *arg, const char *name, struct err *e)
{
    struct tool *t = arg;
    struct buf text = BUF_INIT;
    struct profile p;
    int r = list_profile_load(t->home, "persons", name, "profile.jws", &text, &p, e);

    if (r == 0)
        r = print_profile(&p);
    else if (r == ERR_ABSENT)
        r = 0;
    profile_clear(&p);
    buf_free(&text);
    return r;
}

/* A file: a profile or a JWK. A private key's file is shown by its public half. */
static int print_file(struct tool *t, const char *path, struct err *e)
{
    struct buf text = BUF_INIT;
    struct jwk *key = NULL;
    struct profile p;
    char udf[JWK_UDF_SIZE];
    int r;

    memset(&p, 0, sizeof p);
    if ((r = file_read(path, HOME_FILE_MAX, &text, e)) < 0)
        goto out;
    if (profile_read(text.data, text.len, &p, NULL) == 0) {
        r = print_profile(&p);
        goto out;
    }
    if ((r = jwk_parse(text.data, text.len, &key, e)) < 0 && text.len && text.data[0] != '{')
        r = home_key_load(t->home, path, &key, NULL, e);
    if (r < 0)
        err_prefix(e, "%s is neither a profile nor a key", path);
    else if ((r = jwk_udf(key, udf)) == 0)
        printf("%s\n", udf);
out:
    jwk_free(&key);
    profile_clear(&p);
    buf_free(&text);
    return r;
}

int command_fingerprint(struct tool *t, struct err *e)
{
    const char *word = t->args->word_count ? t->args->words[0] : NULL;
    char account[ADDRESS_SIZE];
    struct profile p;
    int r;

    if (!word) {
        if ((r = home_each(t->home, "persons", NULL, "", print_own, t, e)) == 0)
            r = home_each(t->home, "devices", NULL, "", print_device, t, e);
        return r == 0 && home_reader(t->home, account, e) == ERR_ABSENT ? ERR_ABSENT : r;
    }
    if (access(word, F_OK) == 0)
        return print_file(t, word, e);
    if ((r = tool_address(word, account, e)) < 0 || (r = known_load(t->home, account, &p, e)) < 0)
        return r;
    r = print_profile(&p);
    profile_clear(&p);
    return r;
}
