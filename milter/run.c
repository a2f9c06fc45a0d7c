#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "common/log.h"
#include "settings.h"

enum { EVENT_RELOAD = 'r', EVENT_END = 'e' };

static int events[2]; /* what the first thread is to do next; a signal handler writes, so there is no other way */

static void on_hangup(int sig)
{
    int saved = errno;

    (void)sig;
    if (write(events[1], &(char){EVENT_RELOAD}, 1) < 0) /* full: reloads wait there already */
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

static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#else
    (void)state;
#endif
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

/* libmilter waits for SIGHUP too, and would stop at it. This thread alone leaves it unblocked, and the kernel gives a process's
 * signal to its first thread when that can take it. */
static int set_signals(void)
{
    struct sigaction hangup = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigemptyset(&hangup.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    return sigaction(SIGHUP, &hangup, NULL) < 0 || pthread_sigmask(SIG_BLOCK, &stop, NULL) ? -1 : 0;
}

static int start_filter(pthread_t *thread, int *status)
{
    sigset_t hangup;
    int r;

    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &hangup, NULL); /* inherited by libmilter's threads */
    r = pthread_create(thread, NULL, filter, status);
    pthread_sigmask(SIG_UNBLOCK, &hangup, NULL);
    return r ? -1 : 0;
}

int milter_run(const char *config)
{
    int status = EX_OSERR;
    pthread_t thread;
    char event;

    if (pipe2(events, O_CLOEXEC) < 0 || fcntl(events[1], F_SETFL, O_NONBLOCK) < 0 || set_signals() < 0 ||
        start_filter(&thread, &status) < 0) {
        log_error("cannot start threads");
        return EX_OSERR;
    }
    log_info("started");
    tell_manager("READY=1");
    for (;;) {
        ssize_t n = read(events[0], &event, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n != 1 || event == EVENT_END)
            break;
        reload(config);
    }
    tell_manager("STOPPING=1");
    pthread_join(thread, NULL);
    settings_replace(NULL);
    log_info("stopped");
    return status;
}
