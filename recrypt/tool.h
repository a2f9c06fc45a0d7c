/* tool.h - what every command of recrypt gets, and the commands themselves. */
#ifndef RECRYPT_TOOL_H
#define RECRYPT_TOOL_H

#include "args.h"
#include "home.h"
#include "services.h"

struct tool {
    const struct args *args;
    struct home *home;
    struct services *services;
    const char *again; /* what to do when a command ends with an error that may pass; said behind that */
};

/* A word of the command line as a canonical address, with an error that names it. */
int tool_address(const char *word, char out[ADDRESS_SIZE], struct err *e);

/* One line to standard error, after "recrypt: ". */
void tool_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

command_run command_personal, command_key, command_fingerprint; /* cmd-person.c */
command_run command_newgroup, command_rekey;                    /* cmd-group.c */
command_run command_add, command_remove, command_members;       /* cmd-members.c */
command_run command_seal, command_open;                         /* cmd-mail.c */
command_run command_fetch;                                  /* cmd-fetch.c */
command_run command_encrypt, command_decrypt;                   /* cmd-file.c */
command_run command_device_connect;                             /* cmd-connect.c */
command_run command_device_pending, command_device_accept, command_device_reject, command_device_list,
    command_device_remove;                                      /* cmd-device.c */
command_run command_device_park, command_device_unpark;         /* cmd-park.c */

extern const struct command tool_commands[]; /* ended by a NULL name */

#endif
