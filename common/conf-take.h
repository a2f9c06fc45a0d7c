/* conf-take.h - options of a configuration that conf_load has read, as checked values.
 *
 * All: 0; ERR_USAGE with a text that begins with the option's name; ERR_SYSTEM. On failure *out is NULL, 0 or as it
 * was.
 */
#ifndef RECRYPT_CONF_TAKE_H
#define RECRYPT_CONF_TAKE_H

#include <confuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* A copy; "" when the option is empty. The caller's to free. */
int conf_take_text(cfg_t *cfg, const char *name, char **out, struct err *e);
/* Between low and high, both allowed. */
int conf_take_number(cfg_t *cfg, const char *name, long low, long high, long *out, struct err *e);
int conf_take_size(cfg_t *cfg, const char *name, size_t low, size_t high, size_t *out, struct err *e);
int conf_take_seconds(cfg_t *cfg, const char *name, int64_t low, int64_t high, int64_t *out, struct err *e);
/* A file's mode in octal; none of the bits refused. */
int conf_take_mode(cfg_t *cfg, const char *name, mode_t refused, mode_t *out, struct err *e);
/* Which of the words it is, from 0 on; the list ends with NULL. */
int conf_take_word(cfg_t *cfg, const char *name, const char *const *words, int *out, struct err *e);
/* text, which the option has as a value, as a canonical mail address, or with domain set as a canonical domain. The
 * caller's to free. */
int conf_canonical(const char *name, const char *text, int domain, char **out, struct err *e);

/* tls_certificate and tls_key. */
struct conf_tls {
    char *certificate, *key; /* the files; "" = none */
    struct buf certificate_pem, key_pem;
};
/* One without the other is refused. With read set and files named, reads them; where the key may not be read any more,
 * since root's rights are gone, and it is the file of former (which may be NULL), certificate and key stay what they
 * were. out is cleared before and, by the caller, after. */
int conf_take_tls(cfg_t *cfg, int read, const struct conf_tls *former, struct conf_tls *out, struct err *e);
void conf_tls_clear(struct conf_tls *t);

#endif
