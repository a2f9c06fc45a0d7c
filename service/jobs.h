/* jobs.h - the fan-out of one message of a large list, as the store keeps it: who is to have a copy, in random order,
 * and who has one (doc/protocol.md section 5).
 *
 * The members are those of the moment the job was made, in pages. A job that ended keeps a record without members, so
 * that the same message tried again is not sent again, until it expires.
 */
#ifndef RECRYPT_JOBS_H
#define RECRYPT_JOBS_H

#include "records.h"

enum { JOB_ID_SIZE = 33, JOB_PAGE = 64, JOB_NAMES_MAX = 20 };
enum { JOB_WAITING = '.', JOB_DONE = 'd', JOB_REFUSED = 'r' };

struct job {
    char id[JOB_ID_SIZE]; /* 32 hexadecimal digits */
    char list[ADDRESS_SIZE];
    char keyid[KEYID_SIZE]; /* the message's */
    int64_t created;
    size_t total;
    int ended;
    /* of one that ended */
    size_t done, refused;
    char *names[JOB_NAMES_MAX]; /* of those refused, as many as fit */
    size_t name_count;
};

struct job_page {
    char member[JOB_PAGE][ADDRESS_SIZE];
    char state[JOB_PAGE];
    size_t count;
};

int job_id_check(const char *id, struct err *e); /* ERR_SYNTAX */
int job_get(struct records *r, const char *id, struct job *out, struct err *e);
int job_put(struct records *r, const struct job *j, struct err *e);
void job_clear(struct job *j);

/* Page n holds the members n * JOB_PAGE and following. */
int job_page_get(struct records *r, const char *id, size_t n, struct job_page *out, struct err *e);
int job_page_put(struct records *r, const char *id, size_t n, const struct job_page *p, struct err *e);
int job_page_delete(struct records *r, const char *id, size_t n, struct err *e);
/* How many pages a job of that many members has. */
size_t job_pages(size_t total);

/* Deletes the jobs made before that time, with their pages. */
int jobs_expire(struct records *r, int64_t before, struct err *e);

#endif
