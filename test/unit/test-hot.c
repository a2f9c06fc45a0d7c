/* What is kept ready for readers. */
#include "service/hot.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "unit.h"

static struct hot_grant *hot_one(const char *keyid, const char *reader, const char *group, const char *person)
{
    struct hot_grant *g = secret_alloc(sizeof *g);

    strcpy(g->keyid, keyid);
    strcpy(g->reader, reader);
    strcpy(g->groups[0], group);
    strcpy(g->groups[1], person);
    g->statement = strdup("x");
    g->device = json_object_new_object();
    return g;
}

static void test_hot(void)
{
    struct hot *h;

    CU_ASSERT_EQUAL_FATAL(hot_new(3, &h, NULL), 0);
    CU_ASSERT_PTR_NULL(hot_get(h, "k1", "phone"));
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k1", "phone", "list", "bob"), NULL), 0);
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k1", "tablet", "list", "bob"), NULL), 0);
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k2", "phone", "bob", "bob"), NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(hot_get(h, "k1", "phone")); /* used last but one now */
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k3", "laptop", "", "carol"), NULL), 0);
    CU_ASSERT_PTR_NULL(hot_get(h, "k1", "tablet"));
    CU_ASSERT_PTR_NOT_NULL(hot_get(h, "k1", "phone"));
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k1", "phone", "list", "carol"), NULL), 0); /* in place of the other */
    hot_drop(h, "bob");
    CU_ASSERT(!hot_get(h, "k2", "phone") && hot_get(h, "k1", "phone") && hot_get(h, "k3", "laptop"));
    hot_drop(h, "list");
    CU_ASSERT(!hot_get(h, "k1", "phone") && hot_get(h, "k3", "laptop"));
    hot_resize(h, 0); /* the last one always stays */
    CU_ASSERT_PTR_NOT_NULL(hot_get(h, "k3", "laptop"));
    CU_ASSERT_EQUAL(hot_put(h, hot_one("k4", "laptop", "", "carol"), NULL), 0);
    CU_ASSERT(!hot_get(h, "k3", "laptop") && hot_get(h, "k4", "laptop"));
    hot_free(&h);
}

int main(void)
{
    static const struct unit_test tests[] = {{"bounded, dropped on change", test_hot}};

    return unit_main("hot", tests, sizeof tests / sizeof *tests);
}
