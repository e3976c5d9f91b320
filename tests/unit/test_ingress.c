/* ingress, the pure part: rules to maps, conflicts, certificates, slots and their commands, the text of the
 * configuration. C8S_GOLDEN=write renews tests/golden/ingress.cfg. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "ingress/certs.h"
#include "ingress/change.h"
#include "ingress/external.h"
#include "ingress/render.h"
#include "json/json.h"
#include "doc.h"

#define MAX_DOCS 8
struct world {
    json_t *docs[MAX_DOCS], *secret;
    size_t n;
    struct ingress_plan plan;
    struct slots slots;
};

static const json_t *secret_of(void *arg, const char *ns, const char *name)
{
    struct world *w = arg;
    return streq(ns, "d") && streq(name, "cert") ? w->secret : NULL;
}

static void make(struct world *w, json_t *secret, const char *const *texts)
{
    const json_t *list[MAX_DOCS];
    *w = (struct world){.secret = secret};
    for (; texts[w->n]; w->n++)
        list[w->n] = w->docs[w->n] = t_doc(texts[w->n]);
    ingress_plan_make(&w->plan, list, w->n, secret_of, w);
}

static void done(struct world *w)
{
    ingress_plan_done(&w->plan);
    slots_done(&w->slots);
    for (size_t i = 0; i < w->n; i++)
        json_decref(w->docs[i]);
    json_decref(w->secret);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define META(name, age) "{'metadata':{'namespace':'d','name':'" name "','uid':'u','creationTimestamp':'" age "'},"
#define BACKEND(service) "{'service':{'name':'" service "','port':{'number':80}}}"
#define PATH(path, type, service) "{'path':'" path "','pathType':'" type "','backend':" BACKEND(service) "}"
#define RULE(host, paths) "{'host':'" host "','http':{'paths':[" paths "]}}"

TEST(paths_become_keys)
{
    struct world w;
    make(
        &w, NULL,
        TEXTS(META("a", "2026-01-01T00:00:00Z") "'spec':{'rules':[" RULE(
            "a.test",
            PATH("/x", "Exact", "exact") "," PATH("/x", "Prefix", "prefix") "," PATH("/y/", "Prefix", "y") "," PATH(
                "/z/", "Exact",
                "z") "," PATH("/", "Prefix",
                              "root")) "," RULE("*.a.test",
                                                PATH("", "ImplementationSpecific",
                                                     "wild")) ",{'http':{'paths':[" PATH("/q", "ImplementationSpecific",
                                                                                         "any") "]}}]}}"));
    T_STR(map_get(&w.plan.exact, "a.test/x"), "d:a:exact:80");
    T_STR(map_get(&w.plan.exact, "a.test/z/"), "d:a:z:80");
    T_INT(w.plan.exact.len, 2);
    T_STR(map_get(&w.plan.prefix, "a.test/x/"), "d:a:prefix:80");
    T_STR(map_get(&w.plan.prefix, "a.test/y/"), "d:a:y:80");
    T_STR(map_get(&w.plan.prefix, "a.test/"), "d:a:root:80");
    T_STR(map_get(&w.plan.prefix, "*.a.test/"), "d:a:wild:80");
    T_STR(map_get(&w.plan.prefix, "*/q/"), "d:a:any:80");
    T_INT(w.plan.hosts.len, 3);
    T_INT(w.plan.n_problems, 0);
    done(&w);
}

TEST(the_oldest_has_a_path)
{
    struct world w;
    make(&w, NULL,
         TEXTS(META("new", "2026-02-01T00:00:00Z") "'spec':{'defaultBackend':" BACKEND("new") ",'rules':[" RULE(
                   "a.test", PATH("/x", "Prefix", "new") "," PATH("/n", "Prefix", "new")) "]}}",
               META("old", "2026-01-01T00:00:00Z") "'spec':{'defaultBackend':" BACKEND("old") ",'rules':[" RULE(
                   "a.test", PATH("/x/", "Prefix", "old")) "]}}"));
    T_STR(map_get(&w.plan.prefix, "a.test/x/"), "d:old:old:80");
    T_STR(map_get(&w.plan.prefix, "a.test/n/"), "d:new:new:80");
    T_STR(map_get(&w.plan.prefix, "a.test/"), "d:old:old:80"); /* its default backend, for its hosts */
    T_STR(w.plan.default_backend, "d:old:old:80");
    done(&w);
}

TEST(what_cannot_be_written_is_left_out)
{
    static const char *const texts[] = {
        META("a", "") "'spec':{'rules':[" RULE("a.test", PATH("/a b", "Exact", "x")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("a.test", PATH("/a\\nb", "Exact", "x")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("a.test", PATH("x", "Prefix", "x")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("a test", PATH("/", "Prefix", "x")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("*", PATH("/", "Prefix", "x")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("a.test", PATH("/", "Prefix", "x\\n  server")) "]}}",
        META("a", "") "'spec':{'rules':[" RULE("a.test",
                                               "{'path':'/','backend':{'resource':{'kind':'a','name':'b'}}}") "]}}",
        META("a", "") "'spec':{'tls':[{'secretName':'missing'}]}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct world w;
        make(&w, NULL, TEXTS(texts[i]));
        if (w.plan.n_problems != 1 || w.plan.exact.len || w.plan.prefix.len || w.plan.certs.len)
            T_FAIL("%s: %zu problems", texts[i], w.plan.n_problems);
        done(&w);
    }
}

static const char *controller_of(void *arg, const char *name)
{
    (void)arg;
    return streq(name, "mine") ? "c8s.io/haproxy" : streq(name, "other") ? "example.com/x" : NULL;
}

static const char *controller_elsewhere(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return "example.com/x";
}

static struct ingress_backend *backend_of(struct world *w, const char *name)
{
    struct ingress_backend *b = map_get(&w->plan.backends, name);
    if (!b)
        T_FAIL("no backend %s", name);
    return b;
}

TEST(redirected_where_the_ingress_has_tls)
{
    struct world w;
    make(&w, NULL,
         TEXTS(META("a", "1") "'spec':{'tls':[{'hosts':['a.test','*.w.test']}],'rules':[" RULE(
                   "a.test", PATH("/", "Prefix", "both") "," PATH(
                                 "/s", "Prefix",
                                 "secure")) "," RULE("x.w.test", PATH("/", "Prefix",
                                                                      "secure")) "," RULE("p.test", PATH("/", "Prefix",
                                                                                                         "both")) "]}}",
               META("b", "2") "'spec':{'rules':[" RULE("a.test", PATH("/b", "Prefix", "both")) "]}}",
               META("c", "3") "'spec':{'tls':[{'secretName':'x'}],'rules':[" RULE("c.test",
                                                                                  PATH("/", "Prefix", "c")) "]}}"));
    const struct ingress_backend *both = backend_of(&w, "d:a:both:80"), *secure = backend_of(&w, "d:a:secure:80");
    T_TRUE(both->has_plain_hosts && both->tls_hosts.len == 1 && map_get(&both->tls_hosts, "a.test"));
    T_TRUE(!secure->has_plain_hosts && secure->tls_hosts.len == 2);
    T_TRUE(backend_of(&w, "d:b:both:80")->has_plain_hosts);
    T_TRUE(!backend_of(&w, "d:c:c:80")->has_plain_hosts);
    done(&w);
}

TEST(classes)
{
    static const struct {
        const char *text;
        bool ours;
    } cases[] = {
        {"{}", true},
        {"{'spec':{'ingressClassName':'mine'}}", true},
        {"{'spec':{'ingressClassName':'other'}}", false},
        {"{'spec':{'ingressClassName':'missing'}}", false},
        {"{'metadata':{'annotations':{'kubernetes.io/ingress.class':'mine'}}}", true},
        {"{'metadata':{'annotations':{'kubernetes.io/ingress.class':'missing'}}}", false},
        {"{'spec':{'ingressClassName':'nginx'}}", true}, /* nobody else's */
        {"{'metadata':{'annotations':{'kubernetes.io/ingress.class':'nginx'}}}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *j = t_doc(cases[i].text);
        if (ingress_is_ours(j, controller_of, NULL) != cases[i].ours)
            T_FAIL("%s", cases[i].text);
        if (ingress_class(j) && ingress_is_ours(j, controller_elsewhere, NULL))
            T_FAIL("%s, though the class is somebody's", cases[i].text);
    }
}

TEST(certificates)
{
    struct err err;
    const char *algorithm;
    _cleanup_free_ char *one = cert_self_signed(), *two = cert_self_signed();
    _cleanup_free_ char *same = cert_bundle(one, strlen(one), one, strlen(one), &algorithm, &err);
    T_STR(same, one);
    T_STR(algorithm, "EC");
    T_TRUE(!cert_bundle(one, strlen(one), two, strlen(two), &algorithm, &err));
    T_TRUE(strstr(err.msg, "tls.key does not fit tls.crt"));
    T_TRUE(!cert_bundle("x", 1, one, strlen(one), &algorithm, &err));
    T_TRUE(strstr(err.msg, "holds no certificate"));
    T_TRUE(!cert_bundle(one, strlen(one), "", 0, &algorithm, &err));
    T_TRUE(strstr(err.msg, "holds no key"));

    struct world w;
    _cleanup_free_ char *base64 = base64_encode(one, strlen(one));
    make(&w, json_pack("{s:{s:s, s:s}}", "data", "tls.crt", base64, "tls.key", base64),
         TEXTS(META(
             "a",
             "") "'spec':{'tls':[{'hosts':['a.test','*.b.test','c d'],'secretName':'cert'},{'hosts':['e.test']}]}}"));
    const struct ingress_cert *c = map_get(&w.plan.certs, "d_cert");
    T_TRUE(c && c->hosts.len == 2 && !c->any_host && map_get(&c->hosts, "*.b.test"));
    T_INT(w.plan.n_problems, 0);
    done(&w);
}

TEST(external_names_need_leave)
{
    const struct svc plain = {.type = SVC_CLUSTER_IP}, out = {.type = SVC_EXTERNAL_NAME, .external_name = "x.test"};
    const struct svc evil = {.type = SVC_EXTERNAL_NAME, .external_name = "x.test:1\n  bind"};
    _cleanup_json_ json_t *class = t_doc("{'metadata':{'annotations':{'ingress.c8s.io/allow-external-names':'true'}}}");
    const struct ingress_backend b = {.port = (char *)"80"};
    bool refused;
    T_TRUE(!external_address(&plain, NULL, &b, &refused) && !refused);
    T_TRUE(!external_address(&out, NULL, &b, &refused) && refused);
    _cleanup_free_ char *address = external_address(&out, class, &b, &refused);
    T_STR(address, "x.test:80");
    T_TRUE(!refused);
    T_TRUE(!external_address(&evil, class, &b, &refused));
}

static struct svc_endpoint endpoint(const char *ip)
{
    struct svc_endpoint e = {.port = 8080, .ready = true, .serving = true, .node = "", .zone = ""};
    T_TRUE(ip_parse(ip, &e.ip));
    return e;
}

TEST(endpoints_keep_their_slots)
{
    struct slots slots = {0};
    struct buf commands = BUF_INIT(0);
    struct svc_endpoint e[5] = {endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3"), endpoint("10.0.0.4"),
                                endpoint("10.0.0.5")};
    struct svc_port port = {.name = "", .endpoints = e, .n_endpoints = 2};
    T_TRUE(!slots_update(&slots, "b", &port, &commands)); /* new: a new shape */
    buf_clear(&commands);
    port.endpoints = e + 1;
    T_TRUE(slots_update(&slots, "b", &port, &commands));
    T_STR(buf_str(&commands), "set server b/s0 state maint\nset server b/s0 addr 10.0.0.3 port 8080\n"
                              "set server b/s0 state ready\n");
    buf_clear(&commands);
    T_TRUE(slots_update(&slots, "b", &port, &commands));
    T_STR(buf_str(&commands), "");
    port = (struct svc_port){.name = "", .endpoints = e, .n_endpoints = 5};
    T_TRUE(!slots_update(&slots, "b", &port, &commands));
    T_INT(slots_get(&slots, "b")->n, 8);
    buf_clear(&commands);
    T_TRUE(slots_update(&slots, "b", NULL, &commands));
    T_TRUE(strstr(buf_str(&commands), "set server b/s4 state maint\n"));
    struct map none = {0};
    slots_keep(&slots, &none);
    T_TRUE(!slots_get(&slots, "b"));
    buf_done(&commands);
    slots_done(&slots);
}

static struct ingress_files files_of(const char *config, const char *list, const char *pem)
{
    struct ingress_files f = {xcalloc(3, sizeof(struct ingress_file)), 2};
    f.files[0] = (struct ingress_file){xstrdup("haproxy.cfg"), xstrdup(config)};
    f.files[1] = (struct ingress_file){xstrdup("certs.list"), xstrdup(list)};
    if (pem)
        f.files[f.n++] = (struct ingress_file){xstrdup("a.pem"), xstrdup(pem)};
    return f;
}

TEST(certificates_change_by_commands)
{
    static const struct {
        const char *config, *list, *pem, *now_config, *now_list, *now_pem, *commands; /* NULL: a reload */
    } cases[] = {
        {"c", "/d/a.pem x\n", "P\n", "c", "/d/a.pem x\n", "P\n", ""},
        {"c", "/d/a.pem x\n", "P\n", "c", "/d/a.pem x\n", "Q\n",
         "set ssl cert /d/a.pem <<\nQ\n\ncommit ssl cert /d/a.pem\n"},
        {"c", "", NULL, "c", "/d/a.pem x y\n", "P\n",
         "new ssl cert /d/a.pem\nset ssl cert /d/a.pem <<\nP\n\ncommit ssl cert /d/a.pem\n"
         "add ssl crt-list /d/certs.list <<\n/d/a.pem x y\n\n"},
        {"c", "/d/a.pem x\n", "P\n", "c", "", NULL, "del ssl crt-list /d/certs.list /d/a.pem\ndel ssl cert /d/a.pem\n"},
        {"c", "/d/a.pem x\n", "P\n", "c", "/d/a.pem y\n", "P\n", NULL},
        {"c", "/d/a.pem x\n/d/a.pem y\n", "P\n", "c", "", NULL, NULL},
        {"c", "", NULL, "d", "", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf commands = BUF_INIT(0);
        struct ingress_files before = files_of(cases[i].config, cases[i].list, cases[i].pem);
        struct ingress_files now = files_of(cases[i].now_config, cases[i].now_list, cases[i].now_pem);
        bool suffices = ingress_change(&before, &now, "/d", &commands);
        T_INT(suffices, cases[i].commands != NULL);
        if (suffices)
            T_STR(buf_str(&commands), cases[i].commands);
        buf_done(&commands);
        ingress_files_done(&before);
        ingress_files_done(&now);
    }
}

#define GOLDEN "tests/golden/ingress.cfg"

TEST(text_of_the_configuration)
{
    struct world w;
    struct buf commands = BUF_INIT(0), all = BUF_INIT(0);
    struct ingress_files files, shape;
    struct svc_endpoint e[2] = {endpoint("10.244.0.5"), endpoint("fd00::5")}; /* one pod */
    const struct svc_port port = {.name = "", .endpoints = e, .n_endpoints = 2},
                          six = {.name = "", .endpoints = e + 1, .n_endpoints = 1};
    const struct ingress_node nodes[] = {{-1, "172.28.128.10"}, {-1, "fd00:172:28:128::10"}};
    const struct ingress_site site = {nodes, 2, "10.96.0.10", "/run/c8s/ingress", 7};
    make(
        &w, NULL,
        TEXTS(
            META("a", "") "'spec':{'defaultBackend':" BACKEND("rest") ",'rules':[" RULE(
                "kubia.example.com", PATH("/kubia", "Prefix", "kubia") "," PATH("/foo", "Exact", "foo")) "]}}",
            "{'metadata':{'namespace':'d','name':'opts','annotations':{'nginx.ingress.kubernetes.io/affinity':'cookie',"
            "'nginx.ingress.kubernetes.io/proxy-body-size':'1k','nginx.ingress.kubernetes.io/rewrite-target':'/v2',"
            "'nginx.ingress.kubernetes.io/backend-protocol':'GRPC','haproxy.org/load-balance':'leastconn',"
            "'nginx.ingress.kubernetes.io/"
            "proxy-read-timeout':'9'}},'spec':{'tls':[{'hosts':['t.test']}],'rules':[" RULE(
                "t.test", PATH("/", "Prefix", "o")) "," RULE("p.test", PATH("/", "Prefix", "o")) "]}}"));
    for (struct map_entry *b = NULL; (b = map_next(&w.plan.backends, b));)
        slots_update(&w.slots, b->key,
                     streq(b->key, "d:a:kubia:80") ? &port
                     : streq(b->key, "d:a:foo:80") ? &six
                                                   : NULL,
                     &commands);
    ingress_render(&w.plan, &w.slots, &site, true, &files);
    for (size_t i = 0; i < files.n; i++)
        buf_addf(&all, "=== %s\n%s", files.files[i].name, files.files[i].text);
    struct err err;
    if (getenv("C8S_GOLDEN"))
        T_INT(file_write_atomic(GOLDEN, all.data, all.len, 0644, &err), 0);
    _cleanup_free_ char *golden = file_read(GOLDEN, 1 << 20, NULL, &err);
    T_STR(buf_str(&all), golden);

    ingress_render(&w.plan, &w.slots, &site, false, &shape);
    T_TRUE(!ingress_change(&files, &shape, site.dir, &commands));
    ingress_files_done(&files);
    slots_update(&w.slots, "d:a:kubia:80", NULL, &commands);
    ingress_render(&w.plan, &w.slots, &site, false, &files);
    T_TRUE(ingress_change(&files, &shape, site.dir, &commands)); /* endpoints are no shape */
    ingress_files_done(&files);
    ingress_files_done(&shape);
    buf_done(&all);
    buf_done(&commands);
    done(&w);
}

int main(void)
{
    RUN(paths_become_keys);
    RUN(the_oldest_has_a_path);
    RUN(what_cannot_be_written_is_left_out);
    RUN(redirected_where_the_ingress_has_tls);
    RUN(classes);
    RUN(certificates);
    RUN(external_names_need_leave);
    RUN(endpoints_keep_their_slots);
    RUN(certificates_change_by_commands);
    RUN(text_of_the_configuration);
    return DONE();
}
