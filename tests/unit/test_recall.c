/* client: what an informer knew is there at the next start, and gives way to what the server says. */
#include "client/recall.h"

#include <sys/stat.h>

#include "base/file.h"
#include "fake_client.h"
#include "t.h"

static uv_loop_t loop;
static struct fake *fake;
static char folder[] = "/tmp/c8s-test-recall-XXXXXX";
static char file[sizeof(folder) + 16];

static void setup(void)
{
    uv_loop_init(&loop);
    fake = fake_new(&loop, 1);
    remove(file);
}

static void teardown(void)
{
    client_free(&fake->client);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static void configmap(const char *name, const char *value)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\"},\"data\":{\"k\":\"%s\\n\"}}", name, value);
    fake_set(fake, &kind_configmap, text);
}

/* One life of a program; `hears` of the server or not. What its reader is told is written down. */
struct life {
    struct informer *informer;
    struct recall *recall;
    char told[200];
    bool found;
};

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct life *l = arg;
    size_t len = strlen(l->told);
    snprintf(l->told + len, sizeof(l->told) - len, "%s%s ", !old ? "+" : !obj ? "-" : "=", (obj ? obj : old)->name);
}

static struct life live(bool hears)
{
    struct life l = {.informer = informer_new(&fake->client, &kind_configmap, NULL)};
    informer_on_change(l.informer, on_change, &l);
    l.recall = recall_new(l.informer, folder, "configmaps");
    l.found = recall_found(l.recall);
    informer_start(l.informer);
    while (hears && (!informer_synced(l.informer) || !fake_idle(fake)))
        uv_run(&loop, UV_RUN_NOWAIT);
    recall_free(l.recall);
    informer_free(l.informer);
    return l;
}

TEST(what_was_known_is_there_without_the_server)
{
    setup();
    configmap("one", "1");
    configmap("two", "2");
    struct life first = live(true), second = live(false);
    T_TRUE(!first.found && second.found);
    T_TRUE(strstr(second.told, "+one ") && strstr(second.told, "+two "));
    T_INT(strlen(second.told), 10);
    struct stat st;
    T_TRUE(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
    struct life third = live(true); /* nothing new: nothing is told twice */
    T_INT(strlen(third.told), 10);
    teardown();
}

TEST(the_server_has_the_last_word)
{
    setup();
    configmap("changed", "1");
    configmap("gone", "1");
    live(true);
    configmap("changed", "2");
    configmap("new", "1");
    fake_delete(fake, &kind_configmap, "a", "gone");
    struct life next = live(true);
    T_TRUE(strstr(next.told, "+changed ") && strstr(next.told, "+gone ") && strstr(next.told, "=changed ") &&
           strstr(next.told, "+new ") && strstr(next.told, "-gone "));
    struct life last = live(false);
    T_TRUE(strstr(last.told, "+changed ") && strstr(last.told, "+new "));
    T_INT(strlen(last.told), 14);
    teardown();
}

TEST(an_empty_list_is_knowledge)
{
    setup();
    T_TRUE(!live(true).found);
    T_TRUE(live(false).found);
    teardown();
}

TEST(a_life_that_heard_nothing_forgets_nothing)
{
    setup();
    configmap("one", "1");
    live(true);
    live(false);
    T_STR(live(false).told, "+one ");
    teardown();
}

TEST(half_a_file_is_none)
{
    struct err err = {0};
    size_t len;
    setup();
    configmap("one", "1");
    configmap("two", "2");
    live(true);
    _cleanup_free_ char *text = file_read(file, 1 << 20, &len, &err);
    for (size_t cut = 0; cut < len; cut++) {
        T_INT(file_write_atomic(file, text, cut, 0600, &err), 0);
        struct life l = live(false);
        T_TRUE(!l.found && !*l.told);
    }
    T_INT(file_write_atomic(file, "c8s-recall 1 services 0\n", 24, 0600, &err), 0); /* another kind's */
    T_TRUE(!live(false).found);
    teardown();
}

int main(void)
{
    struct err ignored;
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof(file), "%s/configmaps", folder);
    RUN(what_was_known_is_there_without_the_server);
    RUN(the_server_has_the_last_word);
    RUN(an_empty_list_is_knowledge);
    RUN(a_life_that_heard_nothing_forgets_nothing);
    RUN(half_a_file_is_none);
    tree_remove(folder, &ignored);
    return DONE();
}
