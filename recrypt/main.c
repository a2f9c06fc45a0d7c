/* recrypt - keys, lists, sealed mail and files for their users and administrators. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/program.h"
#include "tool.h"

#define O(name) (UINT64_C(1) << OPT_##name)

const struct command tool_commands[] = {
    {"personal", "ADDRESS", "Makes your keys and registers them at your domain's service.", 1, 1,
     O(TOKEN) | O(SUITE) | O(PASSPHRASE) | O(SERVICE), command_personal},
    {"newgroup", "LIST", "Makes a list: its key, and you as its administrator.", 1, 1,
     O(PLAINTEXT) | O(ARCHIVE) | O(SUITE) | O(PASSPHRASE) | O(ACCOUNT) | O(SERVICE), command_newgroup},
    {"key", "ADDRESS|KEYID", "Fetches somebody's key, checks it and remembers it.", 1, 1,
     O(JSON) | O(ACCEPT_NEW) | O(OFFLINE) | O(SERVICE), command_key},
    {"add", "LIST MEMBER...", "Makes persons members of your list.", 2, 100001, O(ACCOUNT) | O(SERVICE), command_add},
    {"remove", "LIST MEMBER...", "Takes members off your list.", 2, 1000, O(REKEY) | O(ACCOUNT) | O(SERVICE),
     command_remove},
    {"members", "LIST", "Shows the members of your list.", 1, 1, O(CONFIRM) | O(ACCOUNT) | O(SERVICE), command_members},
    {"rekey", "LIST|ADDRESS", "Gives your list, or your own address, a new key.", 1, 1,
     O(RETIRE) | O(PASSPHRASE) | O(ACCOUNT) | O(SERVICE), command_rekey},
    {"seal", "[FILE]", "Encrypts and signs a message.", 0, 1,
     O(TO) | O(FROM) | O(UNSIGNED) | O(SUBJECT) | O(OFFLINE) | O(OUT) | O(FORCE) | O(SERVICE), command_seal},
    {"open", "[FILE]", "Decrypts a message and says who signed it.", 0, 1,
     O(OUT) | O(FORCE) | O(VERDICT_FD) | O(UNVERIFIED) | O(MARK) | O(OFFLINE) | O(SERVICE), command_open},
    {"fetch", "[ADDRESS]", "Brings new mail from an IMAP server into a Maildir, decrypted.", 0, 1,
     O(MAILBOX) | O(INTO) | O(SERVICE), command_fetch},
    {"encrypt", "GROUP FILE", "Encrypts a file to a list or person: FILE.jcd.", 2, 2,
     O(OUT) | O(FORCE) | O(OFFLINE) | O(SERVICE), command_encrypt},
    {"decrypt", "FILE.jcd", "Decrypts a file.", 1, 1, O(OUT) | O(FORCE) | O(OFFLINE) | O(SERVICE), command_decrypt},
    {"fingerprint", "[ADDRESS|FILE]", "Shows fingerprints to compare: yours, a known address's, a file's.", 0, 1, 0,
     command_fingerprint},
    {"device connect", "ADDRESS", "Asks that this machine may read your mail.", 1, 1,
     O(NAME) | O(WAIT) | O(SUITE) | O(PASSPHRASE) | O(SERVICE), command_device_connect},
    {"device pending", "", "Shows the devices that ask, with the codes to compare.", 0, 0, O(ACCOUNT) | O(SERVICE),
     command_device_pending},
    {"device accept", "CODE|NAME", "Lets a device read your mail, old and new.", 1, 1, O(ACCOUNT) | O(SERVICE),
     command_device_accept},
    {"device reject", "[CODE|NAME]", "Refuses a device that asks, or all that do.", 0, 1,
     O(ALL) | O(ACCOUNT) | O(SERVICE), command_device_reject},
    {"device list", "", "Shows your devices.", 0, 0, O(CONFIRM) | O(ACCOUNT) | O(SERVICE), command_device_list},
    {"device remove", "NAME", "Takes a device off, lost or sold: it reads nothing from then on.", 1, 1,
     O(REKEY) | O(ACCOUNT) | O(SERVICE), command_device_remove},
    {"device park", "NAME", "Takes a device out and leaves its way back with somebody you trust.", 1, 1,
     O(TO) | O(OUT) | O(FORCE) | O(ACCOUNT) | O(SERVICE), command_device_park},
    {"device unpark", "FILE", "On the parked device: lets it read again.", 1, 1, O(SERVICE), command_device_unpark},
    {NULL, NULL, NULL, 0, 0, 0, NULL},
};

void tool_note(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Much of it quotes what others wrote: nothing that a terminal would obey. */
    err_printable(text);
    fprintf(stderr, "recrypt: %s\n", text);
}

int tool_address(const char *word, char out[ADDRESS_SIZE], struct err *e)
{
    int r = address_canonical(word, strlen(word), out, e);

    return r < 0 && e ? (e->code = ERR_USAGE) : r < 0 ? ERR_USAGE : 0;
}

/* --service is for the domain that the command is about; others that come in, of members and signers, keep theirs. */
static const char *service_domain(const struct args *args, char address[ADDRESS_SIZE])
{
    int is_file = args->command->words[0] == '[' || strncmp(args->command->words, "FILE", 4) == 0;
    char udf[64];

    if (is_file || args->word_count == 0 ||
        (keyid_parse(args->words[0], address, udf, NULL) < 0 &&
         address_canonical(args->words[0], strlen(args->words[0]), address, NULL) < 0))
        return "";
    return address_domain(address);
}

static int run(const struct args *args, const char **again, struct err *e)
{
    struct tool t = {args, NULL, NULL, NULL};
    char address[ADDRESS_SIZE];
    int r;

    if ((r = home_open(&t.home, e)) == 0 &&
        (r = services_new(t.home, args->value[OPT_SERVICE], service_domain(args, address), &t.services, e)) == 0)
        r = args->command->run(&t, e);
    *again = err_temporary(r) ? t.again : NULL;
    services_free(&t.services);
    home_close(&t.home);
    return r;
}

/* What was printed must have got there before success is claimed. */
static int finish(int r, const char *again, struct err *e)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (r == 0)
            r = err_errno(e, "cannot write the output");
    }
    if (r < 0)
        tool_note("%s", e->text);
    if (again)
        tool_note("%s", again);
    return err_sysexit(r);
}

int main(int argc, char **argv)
{
    struct args args;
    struct err e = {0, ""};
    const char *again = NULL;
    int r;

    /* Files are the user's alone; a closed pipe is an error, not a death. */
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    if ((r = program_start(&e)) < 0 || (r = program_holds_keys(&e)) < 0 ||
        (r = args_parse(tool_commands, argc, argv, &args, &e)) < 0)
        return finish(r, NULL, &e);
    if (args.version)
        printf("recrypt (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
    else if (args.help)
        args_help(tool_commands, args.command, args.group, stdout);
    else
        r = run(&args, &again, &e);
    args_clear(&args);
    return finish(r, again, &e);
}
