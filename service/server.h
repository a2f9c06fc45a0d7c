/* server.h - recryptd as it runs: opened, reloaded, stopped. */
#ifndef RECRYPT_SERVER_H
#define RECRYPT_SERVER_H

#include "common/err.h"
#include "records.h"
#include "servicekey.h"
#include "settings.h"

/* The service key of the state directory and the keystore opened with it. create: both are made when neither is there.
 * A keystore whose service key is gone is ERR_KEY: new keys would not open it. */
int server_open_store(const struct settings *s, int create, int read_only, struct service_keys **keys,
                      struct keystore **ks, struct records *records, struct err *e);
void server_close_store(struct service_keys **keys, struct keystore **ks, struct records *records);

/* Serves until SIGTERM or SIGINT; takes the settings over. ready is called once, when both fronts listen. 0 = stopped
 * as asked; ERR_SYSTEM from the keystore while serving means that a restart must run recovery. */
int server_run(struct settings *settings, const char *config_path, void (*ready)(void *arg), void *arg, struct err *e);

#endif
