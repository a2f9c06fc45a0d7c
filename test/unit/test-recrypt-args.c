#include <string.h>

#include "recrypt/args.h"
#include "unit.h"

#define O(name) (UINT64_C(1) << OPT_##name)

static const struct command commands[] = {
    {"seal", "[FILE]", "Seals.", 0, 1, O(TO) | O(SUBJECT) | O(UNSIGNED), NULL},
    {"add", "LIST MEMBER...", "Adds.", 2, 3, O(SERVICE), NULL},
    {"device list", "", "Lists devices.", 0, 0, O(CONFIRM), NULL},
    {"device accept", "CODE|NAME", "Accepts.", 1, 1, O(ACCOUNT), NULL},
    {NULL, NULL, NULL, 0, 0, 0, NULL},
};

static struct args args;
static struct err e;

static int parse(const char *line)
{
    static char text[512];
    static char *argv[32];
    int argc = 0;

    snprintf(text, sizeof text, "recrypt %s", line);
    for (char *word = strtok(text, " "); word && argc < 31; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    args_clear(&args);
    memset(&e, 0, sizeof e);
    return args_parse(commands, argc, argv, &args, &e);
}

static void test_good(void)
{
    CU_ASSERT_EQUAL(parse("seal --to a@b.c --to=d@e.f --subject Hi in.eml"), 0);
    CU_ASSERT_STRING_EQUAL(args.command->name, "seal");
    CU_ASSERT_EQUAL_FATAL(args.to_count, 2);
    CU_ASSERT_STRING_EQUAL(args.to[0], "a@b.c");
    CU_ASSERT_STRING_EQUAL(args.to[1], "d@e.f");
    CU_ASSERT_STRING_EQUAL(args.value[OPT_SUBJECT], "Hi");
    CU_ASSERT_FALSE(args_given(&args, OPT_UNSIGNED));
    CU_ASSERT_EQUAL(args.word_count, 1);
    CU_ASSERT_STRING_EQUAL(args.words[0], "in.eml");
    /* words before options; the draft's slash; -- ends the options */
    CU_ASSERT_EQUAL(parse("/add list@a.b --service https://x m@a.b"), 0);
    CU_ASSERT_EQUAL(args.word_count, 2);
    CU_ASSERT_EQUAL(parse("seal --unsigned -- --to"), 0);
    CU_ASSERT_STRING_EQUAL(args.words[0], "--to");
    CU_ASSERT_TRUE(args_given(&args, OPT_UNSIGNED));
    CU_ASSERT_EQUAL(parse("--version"), 0);
    CU_ASSERT_TRUE(args.version);
    CU_ASSERT_EQUAL(parse("add --help"), 0);
    CU_ASSERT_TRUE(args.help);
    CU_ASSERT_PTR_NOT_NULL(args.command);
    args_clear(&args);
}

static void test_group(void)
{
    CU_ASSERT_EQUAL(parse("device list --confirm"), 0);
    CU_ASSERT_STRING_EQUAL(args.command->name, "device list");
    CU_ASSERT_TRUE(args_given(&args, OPT_CONFIRM));
    CU_ASSERT_EQUAL(args.word_count, 0);
    CU_ASSERT_EQUAL(parse("/device accept --account a@b.c phone"), 0);
    CU_ASSERT_STRING_EQUAL(args.command->name, "device accept");
    CU_ASSERT_EQUAL_FATAL(args.word_count, 1);
    CU_ASSERT_STRING_EQUAL(args.words[0], "phone");
    CU_ASSERT_EQUAL(parse("device accept --help"), 0);
    CU_ASSERT_PTR_NOT_NULL(args.command);
    CU_ASSERT_EQUAL(parse("device --help"), 0);
    CU_ASSERT_TRUE(args.help);
    CU_ASSERT_PTR_NULL(args.command);
    CU_ASSERT_STRING_EQUAL(args.group, "device");
    args_clear(&args);
}

static void test_bad(void)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"", "which command"},
        {"frobnicate", "no command frobnicate"},
        {"//add a b", "no command"},
        {"add onlylist", "usage: recrypt add"},
        {"add l a b c", "usage: recrypt add"},
        {"seal a b", "usage: recrypt seal"},
        {"seal --rekey", "no option --rekey"},
        {"seal --to", "--to needs a value"},
        {"seal --unsig", "write --unsigned in full"},
        {"seal --unsigned=1", "--unsigned"},
        {"seal --subject a --subject b", "given twice"},
        {"seal -x", "-x"},
        {"add l m --no=such", "--no=such"},
        {"--frob", "no option --frob"},
        {"device", "which device command"},
        {"device frob", "no command device frob"},
        {"dev list", "no command dev"},
        {"device list x", "usage: recrypt device list"},
        {"device list --rekey", "device list: there is no option --rekey"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(parse(cases[i].line), ERR_USAGE);
        if (!strstr(e.text, cases[i].says)) {
            printf("# '%s' said: %s\n", cases[i].line, e.text);
            CU_FAIL("another text");
        }
    }
    args_clear(&args);
}

static void test_help(void)
{
    char text[4096] = "", group[4096] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    args_help(commands, &commands[0], NULL, f);
    args_help(commands, NULL, NULL, f);
    fclose(f);
    f = fmemopen(group, sizeof group, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    args_help(commands, NULL, "device", f);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(group, "device accept"));
    CU_ASSERT_PTR_NULL(strstr(group, "seal"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--to ADDRESS"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--unsigned"));
    CU_ASSERT_PTR_NULL(strstr(text, "--rekey"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "add "));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"options, words, the draft's slash", test_good},
        {"commands of two words", test_group},
        {"wrong lines are refused with a text that helps", test_bad},
        {"help shows a command's options and no others", test_help},
    };
    return unit_main("recrypt-args", tests, sizeof tests / sizeof *tests);
}
