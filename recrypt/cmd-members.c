/* add, remove, members: who reads a list. */
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "list.h"

static int is_named_before(const struct profile *members, size_t count, const char *account)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].account, account) == 0)
            return 1;
    return 0;
}

/* The new members' profiles, each from its own domain's service. All of them before anything is changed. */
static int fetch_members(struct tool *t, const struct list *l, struct profile *members, struct err *e)
{
    char account[ADDRESS_SIZE];
    int r = 0;

    for (size_t i = 1; r == 0 && i < t->args->word_count; i++) {
        struct profile *p = &members[i - 1];

        if ((r = tool_address(t->args->words[i], account, e)) < 0)
            break;
        if (roster_find(&l->roster, account) || is_named_before(members, i - 1, account)) {
            r = err_set(e, ERR_EXISTS, "%s is a member of %s already, or is named twice; nothing was changed", account,
                        l->address);
            break;
        }
        if ((r = known_fetch(t->home, t->services, account, 0, p, NULL, e)) < 0)
            return err_prefix(e, "%s cannot be added", account);
        if (p->kind != PROFILE_PERSON)
            r = err_set(e, ERR_UNSUPPORTED, "%s is a list; only persons can be members", account);
    }
    return r;
}

int command_add(struct tool *t, struct err *e)
{
    size_t n = t->args->word_count - 1;
    struct profile *members = calloc(n, sizeof *members);
    struct list l;
    int r;

    memset(&l, 0, sizeof l);
    if (!members) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = list_open(t, t->args->words[0], 0, &l, e)) == 0 && (r = fetch_members(t, &l, members, e)) == 0)
        r = list_add(t, &l, members, n, e);
    if (r == 0)
        printf("%s has %zu member%s\n", l.address, l.roster.count, l.roster.count == 1 ? "" : "s");
out:
    for (size_t i = 0; members && i < n; i++)
        profile_clear(&members[i]);
    free(members);
    list_close(&l);
    return r;
}

/* Takes the words off the roster; nothing is sent yet, so that a wrong one changes nothing. */
static int take_off(struct tool *t, struct list *l, char (*accounts)[ADDRESS_SIZE], struct err *e)
{
    int r = 0;

    for (size_t i = 1; r == 0 && i < t->args->word_count; i++) {
        if ((r = tool_address(t->args->words[i], accounts[i - 1], e)) < 0)
            break;
        for (size_t k = 0; r == 0 && k < i - 1; k++)
            if (strcmp(accounts[k], accounts[i - 1]) == 0)
                r = err_set(e, ERR_USAGE, "%s is named twice; nothing was changed", accounts[k]);
        if (r == 0 && !roster_find(&l->roster, accounts[i - 1]))
            r = err_set(e, ERR_ABSENT, "%s is no member of %s; nothing was changed (recrypt members %s shows who is)",
                        accounts[i - 1], l->address, l->address);
    }
    return r;
}

int command_remove(struct tool *t, struct err *e)
{
    size_t n = t->args->word_count - 1;
    char(*accounts)[ADDRESS_SIZE] = calloc(n, sizeof *accounts);
    struct list l;
    int r;

    memset(&l, 0, sizeof l);
    if (!accounts) {
        r = err_errno(e, "out of memory");
        goto out;
    }
    if ((r = list_open(t, t->args->words[0], 0, &l, e)) < 0 || (r = take_off(t, &l, accounts, e)) < 0)
        goto out;
    if (!args_given(t->args, OPT_REKEY)) {
        for (size_t i = 0; r == 0 && i < n; i++)
            r = list_delete(t, &l, accounts[i], e);
        if (r == 0)
            tool_note(
                "from now on the service refuses them; to make that so without trusting the service: recrypt rekey "
                "--retire %s",
                l.address);
        goto out;
    }
    list_next_serial(&l);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = roster_remove(&l.roster, accounts[i], e);
    if (r == 0 && (r = list_rekey(t, &l, 1, e)) == 0)
        for (size_t i = 0; i < n; i++)
            printf("removed %s\n", accounts[i]);
out:
    free(accounts);
    list_close(&l);
    return r;
}

int command_members(struct tool *t, struct err *e)
{
    struct list l;
    int r;

    if ((r = list_open(t, t->args->words[0], 1, &l, e)) < 0)
        return r;
    if (args_given(t->args, OPT_CONFIRM))
        r = list_confirm(t, &l, e);
    for (size_t i = 0; r == 0 && i < l.roster.count; i++)
        printf("%s %s\n", l.roster.members[i].account, l.roster.members[i].key_udf);
    if (r == 0 && (l.stale || l.quarantine))
        tool_note(
            "WARNING: the service was restored from a backup and serves nobody of this list; if the members above are "
            "right: recrypt members --confirm %s",
            l.address);
    list_close(&l);
    return r;
}
