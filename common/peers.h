/* peers.h - how many sessions each client address has. An IPv6 client is its /64 network, since one host has all of
 * that. */
#ifndef RECRYPT_PEERS_H
#define RECRYPT_PEERS_H

#include <sys/socket.h>

struct peers;
struct peers *peers_new(void); /* NULL: out of memory */
/* One more session of that address, unless it has max of them (0 = no limit). 1 = counted, 0 = too many, ERR_SYSTEM.
 * What is no IP address is not counted, and taken. */
int peers_add(struct peers *p, const struct sockaddr *sa, long max);
/* Has it max of them already (0 = no limit)? */
int peers_full(struct peers *p, const struct sockaddr *sa, long max);
void peers_remove(struct peers *p, const struct sockaddr *sa);
void peers_free(struct peers **p);

#endif
