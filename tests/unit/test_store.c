/* store: what is durable, what is pending, what watchers see and in which order, and what a failing disk leaves behind.
 */
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "store/index.h"
#include "store/store.h"
#include "t.h"

enum { CHURN = 30000 };

static uv_loop_t loop;
static char dir[64], path[96];
static struct store *s;

static void open_store(void)
{
    struct err err;
    uv_loop_init(&loop);
    s = store_open(&loop, path, &err);
    if (!s) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static void close_store(void)
{
    store_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        _cleanup_free_ char *file = xasprintf("%s%s", path, suffixes[i]);
        unlink(file);
    }
}

static struct object *make(const struct kind *k, const char *ns, const char *name, uint64_t rv, const char *value)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", name, "namespace", ns, "data", "v", value);
    char rv_text[32];
    snprintf(rv_text, sizeof(rv_text), "%llu", (unsigned long long)rv);
    jset_str(doc, "metadata.resourceVersion", rv_text);
    return object_new(k, doc);
}

static const char *value_of(const struct object *o)
{
    static char text[64];
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    snprintf(text, sizeof(text), "%s", jstr_or(doc, "data.v", "(none)"));
    return text;
}

/* --- writes and their outcome --- */

struct outcome {
    int ok, failed;
    char last_error[600];
};

static void on_done(void *arg, const struct err *err)
{
    struct outcome *out = arg;
    if (err)
        snprintf(out->last_error, sizeof(out->last_error), "%s", err->msg);
    (*(err ? &out->failed : &out->ok))++;
}

static uint64_t put(const struct kind *k, const char *ns, const char *name, const char *value, struct outcome *out)
{
    _cleanup_object_ struct object *o = make(k, ns, name, store_next_rv(s), value);
    store_put(s, o, on_done, out);
    return o->rv;
}

static uint64_t del(const struct kind *k, const char *ns, const char *name, struct outcome *out)
{
    _cleanup_object_ struct object *o = make(k, ns, name, store_next_rv(s), "last");
    store_delete(s, o, on_done, out);
    return o->rv;
}

static void run_until(const struct outcome *out, int n)
{
    while (out->ok + out->failed < n)
        uv_run(&loop, UV_RUN_ONCE);
}

static uint64_t put_now(const struct kind *k, const char *ns, const char *name, const char *value)
{
    struct outcome out = {0};
    uint64_t rv = put(k, ns, name, value, &out);
    run_until(&out, 1);
    T_INT(out.ok, 1);
    return rv;
}

TEST(a_write_is_latest_at_once_and_durable_later)
{
    struct outcome out = {0};
    open_store();
    T_INT(store_rv(s), 1);
    T_TRUE(!store_get(s, &kind_configmap, "a", "x") && !store_latest(s, &kind_configmap, "a", "x"));
    put(&kind_configmap, "a", "x", "1", &out);
    T_TRUE(!store_get(s, &kind_configmap, "a", "x"));
    T_STR(value_of(store_latest(s, &kind_configmap, "a", "x")), "1");
    T_TRUE(!store_latest(s, &kind_secret, "a", "x")); /* the same key of another kind */
    put(&kind_configmap, "a", "x", "2", &out);
    T_STR(value_of(store_latest(s, &kind_configmap, "a", "x")), "2");
    del(&kind_configmap, "a", "x", &out);
    T_TRUE(!store_latest(s, &kind_configmap, "a", "x"));
    put(&kind_configmap, "a", "x", "3", &out);
    run_until(&out, 4);
    T_INT(out.ok, 4);
    T_STR(value_of(store_get(s, &kind_configmap, "a", "x")), "3");
    T_TRUE(store_get(s, &kind_configmap, "a", "x") == store_latest(s, &kind_configmap, "a", "x"));
    T_INT(store_rv(s), 5);
    close_store();
    remove_files();
}

TEST(a_restart_finds_everything_and_the_revision_never_goes_back)
{
    struct outcome out = {0};
    open_store();
    put_now(&kind_configmap, "a", "x", "1");
    put_now(&kind_secret, "a", "x", "secret");
    put_now(&kind_node, "", "n1", "node");
    put_now(&kind_configmap, "a", "gone", "2");
    uint64_t rv = del(&kind_configmap, "a", "gone", &out);
    run_until(&out, 1);
    close_store();

    open_store();
    T_INT(store_rv(s), rv);
    T_TRUE(store_next_rv(s) == rv + 1);
    T_STR(value_of(store_get(s, &kind_configmap, "a", "x")), "1");
    T_STR(value_of(store_get(s, &kind_secret, "a", "x")), "secret");
    T_STR(value_of(store_get(s, &kind_node, "", "n1")), "node");
    T_TRUE(!store_get(s, &kind_configmap, "a", "gone"));
    struct stat st;
    T_TRUE(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    close_store();
    remove_files();
}

TEST(closing_waits_for_what_was_submitted)
{
    struct outcome out = {0};
    open_store();
    for (int i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        put(&kind_configmap, "a", name, "1", &out);
    }
    close_store();
    T_INT(out.ok, 3000);
    open_store();
    T_INT(store_count(s, &kind_configmap, NULL), 3000);
    close_store();
    remove_files();
}

TEST(a_second_process_is_refused_in_one_line)
{
    open_store();
    struct err err;
    T_TRUE(!store_open(&loop, path, &err));
    _cleanup_free_ char *want = xasprintf("%s is in use by another c8s (pid %d)", path, getpid());
    T_STR(err.msg, want);
    T_TRUE(!store_open(&loop, "/nonexistent/x.db", &err));
    T_STR(err.msg, "open /nonexistent/x.db.lock: No such file or directory");
    close_store();
    remove_files();
}

static void put_later(const char *name)
{
    static struct outcome ignored;
    put(&kind_configmap, "a", name, "1", &ignored);
}

TEST(a_file_that_is_no_database_is_refused)
{
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database, but long enough to be read as one\n", f);
    fclose(f);
    struct err err = {0};
    T_TRUE(!store_open(&loop, path, &err));
    T_TRUE(strstr(err.msg, path) == err.msg && strstr(err.msg, "not a database"));
    remove_files();
}

/* Cut off or overwritten somewhere: one line that names the file, or it opens with all that was there. */
TEST(a_damaged_file_is_refused_in_one_line)
{
    for (int damage = 0; damage < 12; damage++) {
        open_store();
        for (int i = 0; i < 300; i++) {
            char name[16];
            snprintf(name, sizeof(name), "c%d", i);
            put_later(name);
        }
        close_store();
        struct stat st;
        T_TRUE(stat(path, &st) == 0);
        if (damage % 2) {
            T_INT(truncate(path, st.st_size * damage / 12), 0);
        } else {
            FILE *f = fopen(path, "r+");
            fseek(f, st.st_size * damage / 12, SEEK_SET);
            for (int i = 0; i < 8192; i++)
                fputc(0xa5, f);
            fclose(f);
        }
        struct err err = {0};
        uv_loop_init(&loop);
        s = store_open(&loop, path, &err);
        if (s)
            T_INT(store_count(s, &kind_configmap, NULL), 300);
        else
            T_TRUE(strstr(err.msg, path) == err.msg && !strchr(err.msg, '\n'));
        store_close(s);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        remove_files();
    }
}

/* What SQLite and JSON both take for good. */
TEST(a_changed_letter_is_noticed)
{
    open_store();
    put_now(&kind_configmap, "a", "x", "letters-as-they-were");
    close_store();
    size_t len;
    struct err err = {0};
    _cleanup_free_ char *bytes = file_read(path, 1 << 20, &len, &err);
    char *at = memmem(bytes, len, "letters-as", 10);
    T_TRUE(at != NULL);
    *at = 'L';
    T_INT(file_write_atomic(path, bytes, len, 0600, &err), 0);
    T_TRUE(!store_open(&loop, path, &err));
    T_TRUE(strstr(err.msg, "a damaged v1/ConfigMap: a/x") != NULL);
    remove_files();
}

static void run_sql(const char *text)
{
    sqlite3 *sql;
    T_INT(sqlite3_open(path, &sql), SQLITE_OK);
    T_INT(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sql);
}

TEST(a_database_of_before_the_sums_is_brought_up_to_date)
{
    open_store();
    put_now(&kind_configmap, "a", "x", "1");
    close_store();
    run_sql("ALTER TABLE objects DROP COLUMN sum; PRAGMA user_version = 1");
    for (int i = 0; i < 2; i++) {
        open_store();
        T_STR(value_of(store_get(s, &kind_configmap, "a", "x")), "1");
        put_now(&kind_configmap, "a", "y", "2");
        close_store();
    }
    remove_files();
}

/* --- lists --- */

static bool collect(void *arg, struct object *o)
{
    buf_addf(arg, "%s/%s ", o->ns, o->name);
    return true;
}

static bool collect_two(void *arg, struct object *o)
{
    struct buf *b = arg;
    collect(b, o);
    return b->len < 10;
}

TEST(lists_are_ordered_by_namespace_then_name)
{
    static const char *const keys[][2] = {{"b", "1"}, {"a", "2"}, {"a", "10"}, {"a-b", "1"}, {"c", "1"}, {"a", "1"}};
    static const struct {
        const char *ns, *after_ns, *after_name, *want;
    } cases[] = {
        {NULL, NULL, NULL, "a/1 a/10 a/2 a-b/1 b/1 c/1 "},
        {"a", NULL, NULL, "a/1 a/10 a/2 "},
        {"a", "a", "10", "a/2 "},
        {"a", "a", "11", "a/2 "}, /* the key it stopped at was deleted meanwhile */
        {"a", "a", "2", ""},
        {NULL, "a", "2", "a-b/1 b/1 c/1 "},
        {NULL, "c", "1", ""},
        {"zz", NULL, NULL, ""},
    };
    open_store();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        put_now(&kind_configmap, keys[i][0], keys[i][1], "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf got = BUF_INIT(1000);
        store_each(s, &kind_configmap, cases[i].ns, cases[i].after_ns, cases[i].after_name, collect, &got);
        T_STR(buf_str(&got), cases[i].want);
        buf_done(&got);
    }
    struct buf got = BUF_INIT(1000);
    T_INT(store_each(s, &kind_configmap, NULL, NULL, NULL, collect_two, &got), 3);
    T_STR(buf_str(&got), "a/1 a/10 a/2 ");
    buf_done(&got);
    T_INT(store_count(s, &kind_configmap, NULL), 6);
    T_INT(store_count(s, &kind_configmap, "a"), 3);
    T_INT(store_count(s, &kind_configmap, "a-b"), 1);
    T_INT(store_count(s, &kind_configmap, "zz"), 0);
    T_INT(store_count(s, &kind_pod, NULL), 0);
    close_store();
    remove_files();
}

TEST(index_behaves_like_a_naive_array)
{
    enum { NS = 3, N = 2000 };
    static struct object *there[NS][N];
    struct index x = {0};
    memset(there, 0, sizeof(there));
    srand(11);
    for (int step = 0; step < 30000; step++) {
        int ns = rand() % NS, n = rand() % N;
        char ns_text[16], name[16];
        snprintf(ns_text, sizeof(ns_text), "ns%d", ns);
        snprintf(name, sizeof(name), "n%04d", n);
        if (rand() % 3) {
            _cleanup_object_ struct object *o = make(&kind_configmap, ns_text, name, 1, "");
            _cleanup_object_ struct object *old = index_put(&x, o);
            T_TRUE(old == there[ns][n]);
            there[ns][n] = o;
        } else {
            _cleanup_object_ struct object *old = index_del(&x, ns_text, name);
            T_TRUE(old == there[ns][n]);
            there[ns][n] = NULL;
        }
        T_TRUE(index_get(&x, ns_text, name) == there[ns][n]);
    }
    struct index_pos pos = index_seek(&x, "", "");
    size_t total = 0;
    for (int ns = 0; ns < NS; ns++) {
        char ns_text[16];
        size_t in_ns = 0;
        for (int n = 0; n < N; n++) {
            if (!there[ns][n])
                continue;
            T_TRUE(index_at(&x, pos) == there[ns][n]);
            index_advance(&x, &pos);
            in_ns++;
        }
        snprintf(ns_text, sizeof(ns_text), "ns%d", ns);
        T_INT(index_count_ns(&x, ns_text), in_ns);
        total += in_ns;
    }
    T_TRUE(!index_at(&x, pos));
    T_INT(x.count, total);
    index_done(&x);
}

/* --- watches --- */

/* What a client makes of a watch: its own copy, and the text of what came. */
struct mirror {
    struct map names; /* name -> value text, owned */
    struct buf log;
    uint64_t rv;
    int events;
    struct store_watch *watch;
    int stop_after; /* events; 0: never */
};

static void on_event(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct mirror *m = arg;
    T_TRUE(obj->rv > m->rv);
    T_TRUE(obj->rv <= store_rv(s));
    m->rv = obj->rv;
    m->events++;
    buf_addf(&m->log, "%c%s ", deleted ? '-' : old ? '~' : '+', obj->name);
    free(deleted ? map_del(&m->names, obj->name) : map_put(&m->names, obj->name, xstrdup(value_of(obj))));
    if (m->events == m->stop_after)
        store_watch_stop(m->watch);
}

static void mirror_init(struct mirror *m)
{
    *m = (struct mirror){.log = BUF_INIT(1 << 20)};
}

static void mirror_done(struct mirror *m)
{
    map_done_with(&m->names, free);
    buf_done(&m->log);
}

static bool mirror_start(struct mirror *m, uint64_t rv)
{
    m->rv = rv;
    m->watch = store_watch(s, &kind_configmap, rv, on_event, m);
    return m->watch != NULL;
}

TEST(watches_see_changes_in_order_after_the_index_and_before_the_answer)
{
    struct mirror m;
    struct outcome out = {0};
    mirror_init(&m);
    open_store();
    T_TRUE(mirror_start(&m, 0));
    put(&kind_configmap, "a", "x", "1", &out);
    put(&kind_secret, "a", "s", "1", &out);
    put(&kind_configmap, "a", "x", "2", &out);
    put(&kind_configmap, "a", "y", "1", &out);
    del(&kind_configmap, "a", "x", &out);
    T_INT(m.events, 0); /* nothing is told before it is durable */
    run_until(&out, 5);
    T_STR(buf_str(&m.log), "+x ~x +y -x ");
    store_watch_stop(m.watch);
    put_now(&kind_configmap, "a", "z", "1");
    T_STR(buf_str(&m.log), "+x ~x +y -x ");
    mirror_done(&m);
    close_store();
    remove_files();
}

TEST(a_watch_from_the_past_is_told_later_then_goes_on)
{
    struct mirror m, late;
    mirror_init(&m);
    mirror_init(&late);
    open_store();
    uint64_t rv = put_now(&kind_configmap, "a", "x", "1");
    put_now(&kind_configmap, "a", "x", "2");
    put_now(&kind_configmap, "a", "y", "1");
    T_TRUE(mirror_start(&m, rv));
    T_INT(m.events, 0); /* not from inside the call */
    while (m.events < 2)
        uv_run(&loop, UV_RUN_ONCE);
    put_now(&kind_configmap, "a", "z", "1");
    T_STR(buf_str(&m.log), "~x +y +z ");
    T_TRUE(mirror_start(&late, rv - 1)); /* and one that is overtaken by a write before its past was delivered */
    put_now(&kind_configmap, "a", "z", "2");
    T_STR(buf_str(&late.log), "+x ~x +y +z ~z ");
    store_watch_stop(m.watch);
    store_watch_stop(late.watch);
    mirror_done(&m);
    mirror_done(&late);
    close_store();
    remove_files();
}

TEST(a_watch_may_be_stopped_from_any_callback)
{
    struct mirror a, b;
    mirror_init(&a);
    mirror_init(&b);
    open_store();
    T_TRUE(mirror_start(&a, 0) && mirror_start(&b, 0));
    a.stop_after = 1;
    struct store_watch *own = a.watch;
    a.watch = b.watch; /* a stops its neighbour, which is next in line */
    put_now(&kind_configmap, "a", "x", "1");
    T_INT(b.events, 0);
    a.watch = own;
    a.stop_after = 2;
    put_now(&kind_configmap, "a", "x", "2");
    put_now(&kind_configmap, "a", "x", "3");
    T_INT(a.events, 2);
    mirror_done(&a);
    mirror_done(&b);
    close_store();
    remove_files();
}

TEST(what_is_forgotten_or_still_to_come_cannot_be_watched)
{
    open_store();
    uint64_t first = put_now(&kind_configmap, "a", "x", "1");
    struct mirror m;
    mirror_init(&m);
    T_TRUE(!mirror_start(&m, store_rv(s) + 1));
    close_store();

    open_store(); /* a restart remembers no changes */
    T_TRUE(!mirror_start(&m, first - 1));
    T_TRUE(!store_watch(s, &kind_pod, first - 1, on_event, &m)); /* also of a kind without objects: some may be gone */
    struct store_watch *w = store_watch(s, &kind_pod, first, on_event, &m);
    T_TRUE(w);
    store_watch_stop(w);

    put_now(&kind_secret, "a", "s", "1");
    char *large = xmalloc(900001);
    memset(large, 'x', 900000);
    large[900000] = '\0';
    for (int i = 0; i < 25; i++)
        put_now(&kind_configmap, "a", "x", large);
    T_TRUE(!mirror_start(&m, first));
    T_TRUE(mirror_start(&m, store_rv(s) - 3));
    store_watch_stop(m.watch);
    w = store_watch(s, &kind_secret, first, on_event, &m); /* a quiet kind still remembers, one never seen too */
    T_TRUE(w);
    store_watch_stop(w);
    w = store_watch(s, &kind_pod, first, on_event, &m);
    T_TRUE(w);
    store_watch_stop(w);
    free(large);
    mirror_done(&m);
    close_store();
    remove_files();
}

static bool copy_name(void *arg, struct object *o)
{
    free(map_put(arg, o->name, xstrdup(value_of(o))));
    return true;
}

/* Whenever a client lists, and whenever it watches from there on, it ends with what a list says at the end. */
TEST(list_then_watch_equals_the_final_list)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        enum { CLIENTS = 5 };
        struct mirror m[CLIENTS];
        uint64_t listed_at[CLIENTS];
        struct outcome out = {0};
        int submitted = 0;
        srand(seed);
        open_store();
        for (int c = 0; c < CLIENTS; c++)
            mirror_init(&m[c]);
        for (int step = 0; step < 300; step++) {
            char name[16], value[16];
            snprintf(name, sizeof(name), "n%d", rand() % 20);
            snprintf(value, sizeof(value), "%d", step);
            if (rand() % 3)
                put(&kind_configmap, "a", name, value, &out), submitted++;
            else if (store_latest(s, &kind_configmap, "a", name))
                del(&kind_configmap, "a", name, &out), submitted++;
            if (step % 50 == 0 && step / 50 < CLIENTS) {
                store_each(s, &kind_configmap, NULL, NULL, NULL, copy_name, &m[step / 50].names);
                listed_at[step / 50] = store_rv(s);
            }
            if (step > 250 && step - 251 < CLIENTS)
                T_TRUE(mirror_start(&m[step - 251], listed_at[step - 251]));
            if (rand() % 10 == 0)
                run_until(&out, submitted);
        }
        run_until(&out, submitted);
        T_INT(out.ok, submitted);
        for (int c = 0; c < CLIENTS; c++) {
            struct map want = {0};
            store_each(s, &kind_configmap, NULL, NULL, NULL, copy_name, &want);
            T_INT(m[c].names.len, want.len);
            for (struct map_entry *e = NULL; (e = map_next(&want, e));)
                T_STR(map_get(&m[c].names, e->key), e->value);
            map_done_with(&want, free);
            store_watch_stop(m[c].watch);
            mirror_done(&m[c]);
        }
        close_store();
        remove_files();
    }
}

static bool collect_values(void *arg, struct object *o)
{
    buf_addf(arg, "%s/%s=%s ", o->ns, o->name, value_of(o));
    return true;
}

/* A page of random length. */
struct last_key {
    struct buf *text;
    char ns[8], name[16];
    bool more;
};

static bool collect_until_bored(void *arg, struct object *o)
{
    struct last_key *l = arg;
    snprintf(l->ns, sizeof(l->ns), "%s", o->ns);
    snprintf(l->name, sizeof(l->name), "%s", o->name);
    collect_values(l->text, o);
    l->more = rand() % 3 == 0;
    return !l->more;
}

static void random_write(struct outcome *out, int step)
{
    static const char *const namespaces[] = {"a", "b", "c"};
    char name[16], value[16];
    const char *ns = namespaces[rand() % 3];
    snprintf(name, sizeof(name), "n%d", rand() % 12);
    snprintf(value, sizeof(value), "%d", step);
    if (rand() % 2)
        put(&kind_configmap, ns, name, value, out);
    else
        del(&kind_configmap, ns, name, out);
    run_until(out, out->ok + 1);
}

/* Pages of the list at one revision, read while objects come and go, are together the list that was read then. */
TEST(pages_equal_the_list_at_their_revision)
{
    struct outcome out = {0};
    open_store();
    srand(5);
    for (int round = 0; round < 200; round++) {
        const char *const ns = round % 2 ? "b" : NULL;
        struct buf want = BUF_INIT(10000), got = BUF_INIT(10000);
        for (int i = rand() % 30; i; i--)
            random_write(&out, round);
        store_each(s, &kind_configmap, ns, NULL, NULL, collect_values, &want);
        uint64_t rv = store_rv(s);
        struct last_key last = {.text = &got};
        store_each_at(s, &kind_configmap, rv, ns, NULL, NULL, collect_until_bored, &last);
        while (last.more) {
            last.more = false;
            for (int i = rand() % 5; i; i--)
                random_write(&out, round);
            T_TRUE(store_remembers(s, &kind_configmap, rv));
            store_each_at(s, &kind_configmap, rv, ns, last.ns, last.name, collect_until_bored, &last);
        }
        T_STR(buf_str(&got), buf_str(&want));
        buf_done(&want);
        buf_done(&got);
    }
    close_store();
    remove_files();
}

/* --- a failing disk --- */

static void limit_file_size(bool limit)
{
    struct rlimit r;
    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = limit ? 4096 : r.rlim_max;
    setrlimit(RLIMIT_FSIZE, &r);
}

TEST(a_failed_transaction_fails_all_that_was_built_on_it)
{
    struct outcome out = {0};
    struct mirror m;
    mirror_init(&m);
    signal(SIGXFSZ, SIG_IGN);
    open_store();
    put_now(&kind_configmap, "a", "x", "1");
    uint64_t rv = store_rv(s);
    T_TRUE(mirror_start(&m, 0));

    limit_file_size(true);
    for (int i = 0; i < 100; i++) { /* some in the first transaction, some behind it */
        put(&kind_configmap, "a", "x", "2", &out);
        put(&kind_configmap, "a", "y", "1", &out);
    }
    del(&kind_configmap, "a", "x", &out);
    T_TRUE(!store_latest(s, &kind_configmap, "a", "x"));
    run_until(&out, 201);
    limit_file_size(false);
    T_INT(out.failed, 201);
    T_TRUE(strstr(out.last_error, "the disk ") == out.last_error && strstr(out.last_error, path));
    T_INT(m.events, 0);
    T_INT(store_rv(s), rv);
    T_STR(value_of(store_get(s, &kind_configmap, "a", "x")), "1");
    T_TRUE(store_latest(s, &kind_configmap, "a", "x") == store_get(s, &kind_configmap, "a", "x"));
    T_TRUE(!store_latest(s, &kind_configmap, "a", "y"));

    T_TRUE(put_now(&kind_configmap, "a", "x", "3") > rv + 201); /* it goes on when the disk does */
    T_STR(buf_str(&m.log), "~x ");
    store_watch_stop(m.watch);
    mirror_done(&m);
    close_store();
    open_store();
    T_STR(value_of(store_get(s, &kind_configmap, "a", "x")), "3");
    T_INT(store_count(s, &kind_configmap, NULL), 1);
    close_store();
    remove_files();
}

/* A file system of 2 MB of our own. */
static bool mount_small(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, "size=2m") == 0;
}

TEST(a_full_disk_fails_writes_until_there_is_room)
{
    if (!mount_small())
        return; /* needs root */
    struct outcome out = {0};
    char *large = xmalloc(200001);
    memset(large, 'x', 200000);
    large[200000] = '\0';
    open_store();
    put_now(&kind_configmap, "a", "small", "1");
    _cleanup_free_ char *filler = xasprintf("%s/filler", dir);
    FILE *f = fopen(filler, "w");
    for (int i = 0; i < 1000000; i++)
        fputc('x', f);
    fclose(f);
    int n = 0;
    while (!out.failed && n < 20) {
        char name[16];
        snprintf(name, sizeof(name), "large%d", n);
        put(&kind_configmap, "a", name, large, &out);
        run_until(&out, ++n);
    }
    T_INT(out.failed, 1);
    T_TRUE(strstr(out.last_error, "the disk is full; make room and try again: ") == out.last_error);
    T_STR(value_of(store_get(s, &kind_configmap, "a", "small")), "1");
    unlink(filler);
    put_now(&kind_configmap, "a", "small", "2");
    close_store();
    open_store();
    T_STR(value_of(store_get(s, &kind_configmap, "a", "small")), "2");
    close_store();
    remove_files();
    umount(dir);
    free(large);
}

/* The same few objects written over and over: the file does not grow with the number of writes. */
TEST(churn_does_not_grow_the_file)
{
    struct outcome out = {0};
    struct stat st, wal;
    _cleanup_free_ char *wal_path = xasprintf("%s-wal", path);
    char name[16], value[1001];
    open_store();
    for (int i = 0; i < CHURN; i++) {
        memset(value, 'a' + i % 26, sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        snprintf(name, sizeof(name), "c%d", i % 200);
        if (i % 400 < 200)
            put(&kind_configmap, "a", name, value, &out);
        else
            del(&kind_configmap, "a", name, &out);
        if (i % 200 == 199)
            run_until(&out, i + 1);
    }
    T_TRUE(stat(path, &st) == 0 && stat(wal_path, &wal) == 0);
    T_TRUE(st.st_size < 2 << 20);
    T_TRUE(wal.st_size < 40 << 20);
    close_store();
    open_store(); /* and what nobody uses any more is given back */
    close_store();
    T_TRUE(stat(path, &st) == 0 && st.st_size < 100 << 10);
    remove_files();
}

int main(void)
{
    snprintf(dir, sizeof(dir), "/tmp/c8s-test-store-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/state.db", dir);
    RUN(a_write_is_latest_at_once_and_durable_later);
    RUN(a_restart_finds_everything_and_the_revision_never_goes_back);
    RUN(closing_waits_for_what_was_submitted);
    RUN(a_second_process_is_refused_in_one_line);
    RUN(a_file_that_is_no_database_is_refused);
    RUN(a_damaged_file_is_refused_in_one_line);
    RUN(a_changed_letter_is_noticed);
    RUN(a_database_of_before_the_sums_is_brought_up_to_date);
    RUN(lists_are_ordered_by_namespace_then_name);
    RUN(index_behaves_like_a_naive_array);
    RUN(watches_see_changes_in_order_after_the_index_and_before_the_answer);
    RUN(a_watch_from_the_past_is_told_later_then_goes_on);
    RUN(a_watch_may_be_stopped_from_any_callback);
    RUN(what_is_forgotten_or_still_to_come_cannot_be_watched);
    RUN(list_then_watch_equals_the_final_list);
    RUN(pages_equal_the_list_at_their_revision);
    RUN(a_failed_transaction_fails_all_that_was_built_on_it);
    RUN(churn_does_not_grow_the_file);
    RUN(a_full_disk_fails_writes_until_there_is_room); /* the last: it has a mount namespace of its own from then on */
    rmdir(dir);
    return DONE();
}
