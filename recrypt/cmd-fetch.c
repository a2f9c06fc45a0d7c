/* fetch: new mail from an IMAP mailbox into a Maildir, opened. */
#include <stdio.h>
#include <unistd.h>

#include "fetch.h"

int command_fetch(struct tool *t, struct err *e)
{
    const struct args *a = t->args;
    struct fetch_counts n;
    struct fetch_conf c;
    int r;

    if ((r = fetch_conf_read(t->home, a->word_count ? a->words[0] : NULL, a->value[OPT_MAILBOX], a->value[OPT_INTO], &c,
                             e)) < 0)
        return r;
    r = fetch_run(t, &c, &n, e);
    if (isatty(STDERR_FILENO) && (r == 0 || n.brought + n.opened))
        tool_note("%zu new messages%s", n.brought, n.opened ? ", and some that were encrypted are open now" : "");
    return r;
}
