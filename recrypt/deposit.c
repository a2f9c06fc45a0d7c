#include "deposit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/sjson.h"
#include "person.h"

int deposit_note(struct tool *t, const struct share *share, const char *statement, struct err *e)
{
    char path[PATH_MAX], list[ADDRESS_SIZE], udf[64];
    struct web *theirs, *ours;
    int r;

    if ((r = keyid_parse(share->keyid, list, udf, e)) < 0 || (r = services_for(t->services, list, &theirs, e)) < 0 ||
        (r = services_for(t->services, share->member, &ours, e)) < 0 || theirs == ours)
        return r;
    if ((r = home_path(t->home, 1, path, e, "shares", ".jws", list, udf, share->member)) < 0)
        return r;
    return file_write(path, statement, strlen(statement), 0600, e);
}

/* A roster with somebody on it: the account has devices. */
static int has_devices(struct tool *t, const struct person *p)
{
    struct buf text = BUF_INIT;
    struct roster roster;
    char path[PATH_MAX];
    int r = 0;

    if (home_path(t->home, 0, path, NULL, "persons", "/roster.jws", p->account, NULL, NULL) == 0 &&
        file_read(path, HOME_FILE_MAX, &text, NULL) == 0 &&
        roster_read(text.data, text.len, p->sign, &roster, NULL) == 0) {
        r = roster.count > 0;
        roster_clear(&roster);
    }
    buf_free(&text);
    return r;
}

static int send_one(struct tool *t, const struct person *p, const struct buf *statement, struct err *e)
{
    struct json_object *body = json_object_new_object(), *share = json_object_new_object(), *reply = NULL;
    struct web *w;
    int r;

    if (sjson_set_string(share, "Account", p->account) < 0 ||
        sjson_set_string(share, "Statement", buf_str(statement)) < 0 ||
        sjson_set_object(body, "Share", json_object_get(share)) < 0)
        r = err_errno(e, "out of memory");
    else if ((r = services_for(t->services, p->account, &w, e)) == 0)
        r = web_call(w, "Set", body, p->sign, &reply, e);
    json_object_put(body);
    json_object_put(share);
    json_object_put(reply);
    return r;
}

struct walk {
    struct tool *t;
    const struct person *person;
    const char *list;
    int again;
};

/* What will not be taken tomorrow either must not stop the others. */
static int refused(const struct walk *w, const char *path, int r, struct err *e)
{
    if (err_temporary(r))
        return r;
    tool_note("%s does not take your half of %s, so that your devices cannot read that list: %s",
              address_domain(w->person->account), w->list, e->text);
    if (r != ERR_EXISTS) /* that is "full" */
        unlink(path);
    return 0;
}

static int send_file(const struct walk *w, const char *path, const char *sent, struct err *e)
{
    struct buf text = BUF_INIT;
    int r = file_read(path, HOME_FILE_MAX, &text, e);

    if (r == ERR_ABSENT)
        r = 0;
    else if (r == 0 && (r = send_one(w->t, w->person, &text, e)) < 0)
        r = refused(w, path, r, e);
    else if (r == 0 && strcmp(path, sent) != 0 && rename(path, sent) < 0)
        r = err_errno(e, "%s", path);
    buf_free(&text);
    return r;
}

static int see_key(void *arg, const char *udf, struct err *e)
{
    struct walk *w = arg;
    const struct home *h = w->t->home;
    char path[PATH_MAX], sent[PATH_MAX];
    int r;

    if ((r = home_path(h, 0, path, e, "shares", ".jws", w->list, udf, w->person->account)) < 0 ||
        (r = home_path(h, 0, sent, e, "shares", ".sent", w->list, udf, w->person->account)) < 0)
        return r;
    if (w->again && access(path, F_OK) < 0)
        return send_file(w, sent, sent, e);
    return send_file(w, path, sent, e);
}

static int see_list(void *arg, const char *list, struct err *e)
{
    struct walk *w = arg;

    w->list = list;
    return home_each(w->t->home, "shares", list, "", see_key, w, e);
}

void deposit_send(struct tool *t, const char *account, int again)
{
    struct walk w = {t, NULL, NULL, again};
    struct person person;
    struct err e = {0, ""};

    if (args_given(t->args, OPT_OFFLINE) || person_open(t->home, account, &person, &e) < 0)
        return;
    w.person = &person;
    if (has_devices(t, &person) && home_each(t->home, "shares", NULL, "", see_list, &w, &e) < 0)
        tool_note(
            "%s; your devices cannot read lists of other services that you joined last, until you open a message here "
            "again",
            e.text);
    person_close(&person);
}
