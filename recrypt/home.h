/* home.h - ~/.recrypt: the tool's directory, its configuration, and where each thing lies in it.
 *
 *   recrypt.conf                    account, services, mailboxes to fetch from
 *   lock                            held by commands that change something
 *   persons/ADDRESS/                sign.jwk, UDF.jwk (encryption keys), profile.jws (registered), next.jws (not yet),
 *                                   roster.jws (devices), park-NAME.eml (a recovery on its way), removed (devices'
 *                                   keys)
 *   lists/ADDRESS/                  UDF.jwk (group keys, every one there ever was), profile.jws, next.jws, roster.jws
 *   known/ADDRESS.jws               the profile that was accepted for this address: it pins the signer
 *   shares/LIST/UDF/MEMBER.json     a member's share of a group key
 *   shares/LIST/UDF/MEMBER.jws      the statement that it came in, of a list elsewhere; .sent: her service has it for
 *                                   her devices
 *   devices/ADDRESS/                this machine as a device of an account whose key is elsewhere: sign.jwk, UDF.jwk,
 *                                   request.jws
 */
#ifndef RECRYPT_HOME_H
#define RECRYPT_HOME_H

#include <limits.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jwk.h"
#include "common/udf.h"

enum { HOME_NAME_SIZE = 256, HOME_FILE_MAX = 32 << 20 };

struct home; /* one open home */

/* $RECRYPT_HOME, or .recrypt in $HOME; made with mode 0700 when it is not there. Refuses (ERR_DENIED) one that belongs
 * to somebody else or that group or others may write to; reads recrypt.conf when it is there. */
int home_open(struct home **out, struct err *e);
void home_close(struct home **h);

const char *home_dir(const struct home *h);

/* Waits until no other command changes this home; held until home_unlock or home_close. */
int home_lock(struct home *h, struct err *e);
void home_unlock(struct home *h);

/* An address as a file name: itself, '/' and '%' as %XX; a very long one as its fingerprint. */
void home_name(const char *address, char out[HOME_NAME_SIZE]);

/* Path of a file: kind "persons", "lists", "known", "shares" or "devices"; below it up to three names, each put through
 * home_name, joined with '/', then suffix. make: the directories are made (0700). */
int home_path(const struct home *h, int make, char out[PATH_MAX], struct err *e, const char *kind, const char *suffix,
              const char *a, const char *b, const char *c);

/* Calls back with the name of each entry of kind/a (a NULL: of kind itself) that ends in suffix, without the suffix, in
 * order of names. A non-zero result stops and is returned. No such directory: nothing, 0. */
typedef int home_visit(void *arg, const char *name, struct err *e);
int home_each(const struct home *h, const char *kind, const char *a, const char *suffix, home_visit *visit, void *arg,
              struct err *e);

/* The account that acts: wanted (canonical form is made) when not NULL, else recrypt.conf's "account", else the only
 * person here. ERR_USAGE when there are several, ERR_ABSENT when there is none; the text says how to get one, or that
 * this machine is only a device. */
int home_account(const struct home *h, const char *wanted, char out[ADDRESS_SIZE], struct err *e);
/* Why account is none of this home's, always ERR_ABSENT: the text is one of those. */
int home_no_account(const struct home *h, const char *account, struct err *e);
/* The same for reading: also the only account that this machine is a device of. */
int home_reader(const struct home *h, char out[ADDRESS_SIZE], struct err *e);

/* The service of a domain: recrypt.conf's section, else https://DOMAIN and the well-known path. *ca is owned by h, NULL
 * = the system's certificates. url is appended. */
int home_service(const struct home *h, const char *domain, struct buf *url, const char **ca, struct err *e);
int home_has_service(const struct home *h, const char *domain); /* does recrypt.conf say? */

/* recrypt.conf's section "imap" for an account; NULL: the only such section. As it is written there, owned by h; what
 * is not there is NULL or the default. ERR_ABSENT. */
struct home_imap {
    const char *account, *url, *ca, *user, *password_command, *password_file, *mailbox, *maildir, *max_size, *timeout;
    int cleartext;
};
int home_imap(const struct home *h, const char *account, struct home_imap *out);

/* Files with a secret text in JSON: under the passphrase (a compact JWE) when that is not empty, mode 0600. replace 0:
 * never replaces a file (ERR_EXISTS). */
int home_secret_save(const char *path, int replace, const struct buf *text, const struct buf *pass, struct err *e);
/* Asks for the passphrase when the file needs one, once for all files of a run. ERR_DENIED when group or others may
 * read the file, ERR_ABSENT, ERR_KEY (wrong passphrase, damaged). *pass_used: the file is under a passphrase. */
int home_secret_load(struct home *h, const char *path, struct buf *text, int *pass_used, struct err *e);
/* A JSON object's text; what json-c copied of the members named (NULL ends) is wiped. */
int home_secret_text(struct json_object *obj, const char *const *secret, struct buf *text, struct err *e);

/* Private keys as such files. pass_used may be NULL. */
int home_key_create(const char *path, const struct jwk *k, const struct buf *pass, struct err *e);
int home_key_load(struct home *h, const char *path, struct jwk **out, int *pass_used, struct err *e);
/* The passphrase for new keys: asked for twice when want is true; empty otherwise. Owned by h. */
int home_passphrase(struct home *h, int want, const struct buf **out, struct err *e);
/* The passphrase that opened an earlier file of this run; empty when none was asked for. */
const struct buf *home_passphrase_known(const struct home *h);

#endif
