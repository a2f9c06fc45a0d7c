/* manager.h - what a daemon tells the service manager that started it (systemd's sd_notify); nothing where there is
 * none. */
#ifndef RECRYPT_MANAGER_H
#define RECRYPT_MANAGER_H

/* "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1". Keeps errno. */
void manager_tell(const char *state);

#endif
