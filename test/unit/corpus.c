#include "corpus.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "unit.h"

static int (*current)(void *arg, const char *path, struct span msg);
static void *current_arg;
static int failed;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    unsigned char *data;
    FILE *f;

    (void)ftw;
    if (type != FTW_F)
        return 0;
    data = malloc((size_t)st->st_size + 1);
    f = fopen(path, "rb");
    if (!data || !f || fread(data, 1, (size_t)st->st_size, f) != (size_t)st->st_size ||
        !current(current_arg, path, (struct span){data, (size_t)st->st_size}))
        failed++;
    if (f)
        fclose(f);
    free(data);
    return 0;
}

int corpus_each(int (*check)(void *arg, const char *path, struct span msg), void *arg)
{
    const char *vectors = unit_vectors();
    char path[4200];

    failed = 0;
    if (!vectors)
        return 0;
    current = check;
    current_arg = arg;
    snprintf(path, sizeof path, "%s/mail/emails", vectors);
    return nftw(path, visit, 16, FTW_PHYS) == 0;
}

int corpus_failed(void)
{
    return failed;
}
