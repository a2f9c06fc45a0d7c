#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/manager.h"
#include "settings.h"
#include "wake.h"

enum { EVENT_RELOAD = 'r', EVENT_STOP = 's', EVENT_END = 'e' };

static int events[2]; /* what the first thread is to do next; a signal handler writes, so there is no other way */

static void on_signal(int sig)
{
    int saved = errno;
    char event = sig == SIGHUP ? EVENT_RELOAD : EVENT_STOP;

    if (write(events[1], &event, 1) < 0) /* full: as much waits there already as anybody can want */
        errno = saved;
    errno = saved;
}

static void *filter(void *status)
{
    *(int *)status = smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
    while (write(events[1], &(char){EVENT_END}, 1) < 0 && (errno == EINTR || errno == EAGAIN))
        usleep(1000);
    return NULL;
}

static void reload(const char *config)
{
    struct settings *s;
    struct err e;

    if (settings_load(config, &s, &e) < 0) {
        log_error("configuration not reloaded: %s", e.text);
        return;
    }
    settings_replace(s);
    log_info("configuration reloaded");
}

/* Hands the signal on to the thread of libmilter that waits for it (smfi_stop would wait for a lock that the listener
 * has while it sleeps). */
static void stop(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGTERM);
}

/* 1 and the next event, 0 after a moment without one, -1 when there is no telling. */
static int next_event(struct wake *w, int stopping, char *event)
{
    struct pollfd p[1 + WAKE_CONNECTIONS] = {{events[0], POLLIN, 0}};
    int wait = stopping ? 100 : wake_turn(w, p + 1);
    int n = poll(p, stopping ? 1 : 1 + WAKE_CONNECTIONS, wait);

    if (n < 0)
        return errno == EINTR ? 0 : -1;
    return p[0].revents ? (read(events[0], event, 1) == 1 ? 1 : -1) : 0;
}

/* libmilter waits for these signals too, and would stop at a SIGHUP. The first thread alone leaves them unblocked, and
 * the kernel gives a process's signal to that one when it can take it. */
static int start_filter(pthread_t *thread, int *status)
{
    static const int ours[] = {SIGHUP, SIGTERM, SIGINT};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t set;
    int r = 0;

    sigemptyset(&set);
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 3; i++) {
        sigaddset(&set, ours[i]);
        r |= sigaction(ours[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by libmilter's threads */
    if (!r)
        r = pthread_create(thread, NULL, filter, status);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return r ? -1 : 0;
}

int milter_run(const char *config, struct wake *w)
{
    int status = EX_OSERR, stopping = 0, n;
    pthread_t thread;
    char event;

    if (pipe2(events, O_CLOEXEC) < 0 || fcntl(events[1], F_SETFL, O_NONBLOCK) < 0 ||
        start_filter(&thread, &status) < 0) {
        log_error("cannot start threads");
        return EX_OSERR;
    }
    log_info("started");
    manager_tell("READY=1");
    while ((n = next_event(w, stopping, &event)) >= 0) {
        if (n == 0) {
            if (stopping)
                wake_listener(w);
        } else if (event == EVENT_END) {
            break;
        } else if (event == EVENT_RELOAD) {
            reload(config);
        } else {
            stopping = 1;
            stop();
        }
    }
    manager_tell("STOPPING=1");
    pthread_join(thread, NULL);
    wake_close(w);
    settings_replace(NULL);
    log_info("stopped");
    return status;
}
