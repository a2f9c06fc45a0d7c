/* sandbox.h - a program that has opened what it needs takes from itself, for good, all that it does not need (seccomp).
 *
 * One function and one list of permitted system calls for each program. Whatever is on no list ends the process with
 * SIGSYS (configure --with-seccomp=errno: it fails with EPERM). Libraries probe a few calls and can do without: those
 * fail with the error that an older kernel would give. In none of the programs: starting another one, tracing,
 * mounting, changing user, memory that is both written and executed. The lists are in common/filters/make.c, which
 * makes them into filters while the programs are built: nothing is allocated here.
 *
 * Call it with the rights dropped, before outside bytes are read and before threads are made. 0 = in force, or built
 * without libseccomp (sandbox_available says which); ERR_SYSTEM when the kernel refuses: the program should end then.
 */
#ifndef RECRYPT_SANDBOX_H
#define RECRYPT_SANDBOX_H

#include "err.h"

/* recryptd: files of the key store, its two listening sockets; new sockets for the log and the service manager only. */
int sandbox_recryptd(struct err *e);
/* recrypt-milter: threads; new sockets towards recryptd, which is on this machine; no file is opened but for reading,
 * none made. */
int sandbox_milter(struct err *e);
/* recrypt-lda: files and directories of mailboxes; new sockets also towards mail servers; a process for each
 * session. */
int sandbox_lda(struct err *e);
/* recrypt-imapfilter: its listening sockets; new sockets also towards IMAP servers; no file is opened but for reading,
 * none made or removed. */
int sandbox_imapfilter(struct err *e);

/* True when this build can confine anything. */
int sandbox_available(void);

#endif
