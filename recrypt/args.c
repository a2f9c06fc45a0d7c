#include "args.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *arg, *help;
} options[OPTION_COUNT] = {
    [OPT_HELP] = {"help", NULL, "show this text"},
    [OPT_SERVICE] = {"service", "URL", "ask this service, whatever recrypt.conf says"},
    [OPT_ACCOUNT] = {"account", "ADDRESS", "act as this one of your accounts"},
    [OPT_PASSPHRASE] = {"passphrase", NULL, "keep the new key under a passphrase"},
    [OPT_TOKEN] = {"token", "TOKEN", "the invitation that your service's operator gave you"},
    [OPT_SUITE] = {"suite", "NAME", "key agreement: X25519 (default), X448, P-256, ffdhe2048, ffdhe3072, modp2048"},
    [OPT_PLAINTEXT] = {"plaintext", "POLICY", "what happens to unencrypted mail for the list: reject or encrypt"},
    [OPT_ARCHIVE] = {"archive", NULL, "the list keeps an archive for its members"},
    [OPT_JSON] = {"json", NULL, "print the public key as a JWK"},
    [OPT_ACCEPT_NEW] = {"accept-new", NULL, "take the new signer or key instead of the one known so far"},
    [OPT_REKEY] = {"rekey", NULL, "also give the list a new key and retire the old one"},
    [OPT_RETIRE] = {"retire", NULL, "refuse mail to the old key from now on"},
    [OPT_CONFIRM] = {"confirm", NULL, "tell the service that your newest roster is the true one"},
    [OPT_TO] = {"to", "ADDRESS", "encrypt to this list or person; may be repeated"},
    [OPT_FROM] = {"from", "ADDRESS", "sign as this account (default: the message's From)"},
    [OPT_UNSIGNED] = {"unsigned", NULL, "do not sign"},
    [OPT_SUBJECT] = {"subject", "TEXT", "the subject that everybody may read (default: [...])"},
    [OPT_OFFLINE] = {"offline", NULL, "use what is known here and ask no service"},
    [OPT_OUT] = {"out", "FILE", "write to FILE, in one step when all is verified"},
    [OPT_FORCE] = {"force", NULL, "replace the output file when it is there"},
    [OPT_VERDICT_FD] = {"verdict-fd", "N", "write who signed to file descriptor N, for programs"},
    [OPT_UNVERIFIED] = {"unverified", NULL, "write the message although its signature is bad"},
    [OPT_NAME] = {"name", "NAME", "what to call this device: a-z, 0-9 and -, at most 32 (default: the host's name)"},
    [OPT_WAIT] = {"wait", NULL, "wait until the device is accepted, and try it"},
    [OPT_MAILBOX] = {"mailbox", "NAME", "bring this mailbox (default: recrypt.conf's, else INBOX)"},
    [OPT_MARK] = {"mark", NULL, "for mailboxes: begin the message with its status, and let plain ones through"},
    [OPT_ALL] = {"all", NULL, "refuse every device that asks"},
    [OPT_INTO] = {"into", "MAILDIR", "put the messages into this Maildir, whatever recrypt.conf says"},
};

/* What an option means to one command, where that is something else. */
static const struct {
    const char *command;
    int option;
    const char *help;
} special[] = {
    {"rekey", OPT_PASSPHRASE, "keep the new key under a passphrase, if the old one is not under one"},
    {"device connect", OPT_PASSPHRASE, "keep this device's keys under a passphrase"},
    {"device list", OPT_CONFIRM, "tell the service that your newest list of devices is the true one"},
    {"device remove", OPT_REKEY, "also give yourself a new key, and retire the old one"},
    {"device park", OPT_TO, "who keeps the device's way back"},
    {"device park", OPT_OUT, "write the message for whoever that is to FILE (default: standard output)"},
};

static const char *help_of(const struct command *c, int option)
{
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (special[i].option == option && strcmp(special[i].command, c->name) == 0)
            return special[i].help;
    return options[option].help;
}

enum { OPTION_VERSION = 1000 };

/* The command that the words name, of which it takes *used. */
static const struct command *find(const struct command *commands, int argc, char **argv, int *used)
{
    const char *name = argv[0][0] == '/' ? argv[0] + 1 : argv[0];
    size_t len = strlen(name);

    for (; commands->name; commands++) {
        *used = 1;
        if (strcmp(commands->name, name) == 0)
            return commands;
        *used = 2;
        if (argc > 1 && strncmp(commands->name, name, len) == 0 && commands->name[len] == ' ' &&
            strcmp(commands->name + len + 1, argv[1]) == 0)
            return commands;
    }
    return NULL;
}

static int in_group(const struct command *c, const char *group)
{
    size_t len = strlen(group);

    return strncmp(c->name, group, len) == 0 && c->name[len] == ' ';
}

/* No command: is it the name of a group, perhaps with a question for its help? */
static int parse_group(const struct command *commands, int argc, char **argv, struct args *out, struct err *e)
{
    const char *name = argv[0][0] == '/' ? argv[0] + 1 : argv[0];

    while (commands->name && !in_group(commands, name))
        commands++;
    if (!commands->name)
        return err_set(e, ERR_USAGE, "there is no command %s; see recrypt --help", argv[0]);
    if (argc < 2)
        return err_set(e, ERR_USAGE, "which %s command? See recrypt %s --help", name, name);
    if (strcmp(argv[1], "--help") != 0)
        return err_set(e, ERR_USAGE, "there is no command %s %s; see recrypt %s --help", name, argv[1], name);
    out->group = name;
    out->help = 1;
    return 0;
}

struct option_long_list {
    struct option at[OPTION_COUNT + 2];
};

/* What getopt_long needs: the command's options, or only --help and --version before a command. */
static void long_options(const struct command *c, struct option_long_list *list)
{
    size_t n = 0;

    memset(list, 0, sizeof *list);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (i == OPT_HELP || (c && (c->options & (UINT64_C(1) << i))))
            list->at[n++] = (struct option){options[i].name, options[i].arg ? required_argument : no_argument, NULL, i};
    list->at[n] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
}

static int take_option(const struct command *c, int option, const char *value, struct args *out, struct err *e)
{
    const char **more;

    if (option == OPTION_VERSION) {
        out->version = 1;
        return 0;
    }
    if (option == OPT_HELP)
        out->help = 1;
    if (option == OPT_TO) {
        if (!(more = reallocarray(out->to, out->to_count + 1, sizeof *more)))
            return err_errno(e, "out of memory");
        out->to = more;
        out->to[out->to_count++] = value;
    } else if (out->value[option] && option != OPT_HELP) {
        return err_set(e, ERR_USAGE, "%s: --%s is given twice", c->name, options[option].name);
    }
    out->value[option] = value ? value : "";
    return 0;
}

/* getopt_long's own abbreviations are refused: what a script says must mean the same in the next version. */
static int exact(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
           (word[2 + len] == 0 || word[2 + len] == '=');
}

static int parse_options(const struct command *c, int argc, char **argv, struct args *out, struct err *e)
{
    const char *who = c ? c->name : "recrypt", *word;
    struct option_long_list list;
    int option, at, r;

    long_options(c, &list);
    optind = 0;
    opterr = 0;
    for (;;) {
        at = optind ? optind : 1;
        if ((option = getopt_long(argc, argv, c ? ":" : "+:", list.at, NULL)) == -1)
            break;
        /* With permutation the option that was just read stands before optind, its separate argument in between. */
        word = argv[optind - 1];
        if (option == '?' || option == ':') {
            if (option == ':')
                return err_set(e, ERR_USAGE, "%s: %s needs a value; see recrypt %s%s--help", who, word, c ? who : "",
                               c ? " " : "");
            return err_set(e, ERR_USAGE, "%s: there is no option %s here; see recrypt %s%s--help", who,
                           optind > at || strncmp(word, "--", 2) == 0 ? word : argv[at], c ? who : "", c ? " " : "");
        }
        if (option < OPTION_COUNT && options[option].arg && optarg == word)
            word = argv[optind - 2];
        if (option != OPTION_VERSION && !exact(word, options[option].name))
            return err_set(e, ERR_USAGE, "%s: write --%s in full", who, options[option].name);
        if ((r = take_option(c, option, optarg, out, e)) < 0)
            return r;
    }
    return 0;
}

int args_parse(const struct command *commands, int argc, char **argv, struct args *out, struct err *e)
{
    const struct command *c;
    int r, used;

    memset(out, 0, sizeof *out);
    if ((r = parse_options(NULL, argc, argv, out, e)) < 0)
        return r;
    if (out->help || out->version)
        return 0;
    if (optind >= argc)
        return err_set(e, ERR_USAGE, "which command? See recrypt --help");
    argv += optind;
    argc -= optind;
    if (!(c = find(commands, argc, argv, &used)))
        return parse_group(commands, argc, argv, out, e);
    argv += used - 1;
    argc -= used - 1;
    out->command = c;
    if ((r = parse_options(c, argc, argv, out, e)) < 0)
        goto fail;
    out->words = argv + optind;
    out->word_count = (size_t)(argc - optind);
    if (!out->help && !out->version && (out->word_count < c->min || out->word_count > c->max)) {
        r = err_set(e, ERR_USAGE, "usage: recrypt %s [options] %s; see recrypt %s --help", c->name, c->words, c->name);
        goto fail;
    }
    return 0;
fail:
    args_clear(out);
    return r;
}

void args_clear(struct args *a)
{
    free(a->to);
    memset(a, 0, sizeof *a);
}

void args_help(const struct command *commands, const struct command *c, const char *group, FILE *to)
{
    char left[64];

    if (!c) {
        fprintf(to, "usage: recrypt %s%sCOMMAND [options] [words]\n\n", group ? group : "", group ? " " : "");
        for (; commands->name; commands++)
            if (!group || in_group(commands, group))
                fprintf(to, "  %-15s %s\n", commands->name, commands->help);
        fputs("\nrecrypt COMMAND --help shows a command's options; recrypt(1) tells the rest.\n", to);
        return;
    }
    fprintf(to, "usage: recrypt %s [options]%s%s\n%s\n\n", c->name, c->words[0] ? " " : "", c->words, c->help);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (i != OPT_HELP && !(c->options & (UINT64_C(1) << i)))
            continue;
        snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].arg ? " " : "",
                 options[i].arg ? options[i].arg : "");
        fprintf(to, "  %-22s %s\n", left, help_of(c, i));
    }
}
