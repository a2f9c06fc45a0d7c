/* recryptd-world.h - a real recryptd in a private folder, and people who talk to it. For test-recryptd.c. */
#ifndef RECRYPT_TEST_RECRYPTD_WORLD_H
#define RECRYPT_TEST_RECRYPTD_WORLD_H

#include <json-c/json.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/jwe.h"
#include "common/jwk.h"
#include "common/rclient.h"
#include "common/sjson.h"
#include "common/statement.h"

struct world {
    char dir[128], conf[256], url[128], socket[192], program[512];
    int port;
    pid_t pid;       /* 0 = not running */
    int descriptors; /* its limit, which it cannot raise; 0 = as here */
    struct jwk *service_key;
};

/* Makes the folder; program is found beside this test. 0 or -1 (with a comment line on stdout). */
int world_make(struct world *w);
void world_remove(struct world *w); /* also stops */
/* Writes the configuration: the usual one with extra lines behind it. */
void world_configure(const struct world *w, const char *extra);
int world_start(struct world *w); /* waits until it serves */
/* recryptd, started by root, becomes another user: for work on its files this process becomes the same, and itself
 * again. */
void world_as_service(int yes);
/* Stops recryptd, dumps its key store, and starts it: the dump, or NULL. The other way: the store is moved aside and a
 * new one made of the dump, which is closed. 0 or -1. */
FILE *world_dump(struct world *w);
int world_load(struct world *w, FILE *dump);
/* Sets recryptd's limit of descriptors, as its own user could; the former goes to before unless that is NULL. 0 or
 * -1. */
int world_limit(const struct world *w, unsigned long descriptors, unsigned long *before);
void world_signal(const struct world *w, int number);
int world_stop(struct world *w); /* -> exit status, or 128 + signal */
/* Runs recryptd with these arguments (NULL-ended, -c CONF is put first) to its end. -> exit status; out gets both
 * streams. */
int world_run(const struct world *w, struct buf *out, ...);
/* The end of the running recryptd's log has that text; waits up to 5 s. */
int world_logged(const struct world *w, const char *text);
void world_path(const struct world *w, const char *name, char out[256]);

/* A person, or a list (then sign is the owner's). */
struct who {
    char address[ADDRESS_SIZE];
    struct jwk *sign, *key; /* private; key's kid is its key id */
    struct profile profile; /* as read back */
    struct buf text;        /* the profile's JWS */
};
void who_make(struct who *p, const char *address, const char *suite);
/* A list's key under owner. */
void who_make_list(struct who *l, const char *address, const struct who *owner, const char *suite, int64_t epoch);
void who_sign(struct who *p, const struct who *owner, int64_t epoch); /* makes profile and text anew */
void who_clear(struct who *p);

/* An answer: status as in the body, http as HTTP said; body is the inner object. */
struct answer {
    int http;
    int64_t status;
    char text[512], nonce[64], name[64];
    struct json_object *all, *body;
};
void answer_clear(struct answer *a);
/* Raw HTTP: sends head and body as they are. 0 or -1. */
int world_http(const struct world *w, const char *method, const char *path, const char *type, const void *body,
               size_t len, struct answer *out);

/* What is wrong with a signed request on purpose. */
struct spoil {
    const char *nonce, *url;
    int64_t iat_off;
    int flip; /* a bit of the signature */
};
/* {"<name>Request": body}, body is taken over; signer NULL = unsigned. A fresh nonce by Hello first. */
int world_call(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body,
               const struct spoil *spoil, struct answer *out);
/* Any text as a signed request, with a fresh nonce; appended. */
int world_signed(const struct world *w, const struct jwk *signer, const char *text, struct buf *out);
/* Only the status; -1 when there was no answer. */
int world_status(const struct world *w, const struct jwk *signer, const char *name, struct json_object *body);

/* Object from JSON text with ' for ". */
struct json_object *J(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A message to a list's key, sealed; and opening it with a grant. */
struct sealed {
    struct jwe *jwe;
    struct buf ciphertext;
    struct jwe_recipient to;
    struct json_object *epk; /* public JWK */
};
int seal(const struct who *list, const char *text, struct sealed *out);
void sealed_clear(struct sealed *s);
/* Does the member open it with this grant's JSON ("t","u","dk")? */
int opens(const struct who *member, const struct who *list, struct json_object *grant, const struct sealed *s,
          const char *text);

#endif
