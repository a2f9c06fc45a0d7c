/* imapfilter-world.h - a recrypt-imapfilter in a process of its own between Unix sockets, of which the test is client
 * and IMAP server. */
#ifndef RECRYPT_IMAPFILTER_WORLD_H
#define RECRYPT_IMAPFILTER_WORLD_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "common/buf.h"

extern char world_dir[64]; /* with cert.pem and key.pem for "imap.test", recryptd.sock to listen on */

/* Starts the filter with these lines of configuration besides its sockets. */
void world_start(const char *settings);
/* SIGHUP, with other lines. */
void world_reload(const char *settings);
/* Ends it; 1 = it ended in order, without leaks where those are looked for. */
int world_stop(void);
/* The directory goes. */
void world_end(void);
/* Octets of memory that the filter has. */
size_t world_memory(void);

/* What the client or the server says and hears. tls NULL: plain. */
struct talk {
    int fd;
    SSL *tls;
};
/* A client's connection, and the filter's to the server. */
struct pair {
    struct talk client, server;
};
struct talk world_client(int tls_port); /* tls_port: begins with TLS, which the caller does */
struct talk world_server(void);         /* fd -1: nobody connects within two seconds */
/* Both, greeted: what the server can do stands in its greeting. */
struct pair world_pair(void);
/* Both, bob@example.com has logged in. */
struct pair world_logged_in(void);
void pair_close(struct pair *p);
void talk_close(struct talk *t);
/* Handshakes. 1 = done. */
int talk_connect_tls(struct talk *t);
int talk_accept_tls(struct talk *t);

void say(struct talk *t, const char *text);
void say_octets(struct talk *t, const void *data, size_t len);
/* The next octets are these. Prints what came instead. */
int hears(struct talk *t, const char *text);
int hears_octets(struct talk *t, const void *data, size_t len);
/* The next line begins so; all of it is taken. line (may be NULL): room for 4096. */
int hears_line(struct talk *t, const char *begin, char *line);
/* The other side has closed, and said nothing before. */
int hears_end(struct talk *t);
/* Nothing comes for a tenth of a second. */
int hears_nothing(struct talk *t);

#define GREETING_LIST "IMAP4rev1 ID IDLE SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5"

/* A JWE's JSON, with the ciphertext before all that says whom it is for, as some programs write it. */
void ciphertext_first(struct buf *json);

#endif
