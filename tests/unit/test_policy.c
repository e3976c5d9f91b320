/* Rules of roles: what they allow, held against an evaluator that is as plain as can be, and taken to pieces. */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "server/policy.h"
#include "t.h"

/* --- the plain evaluator: upstream's words, over the document --- */

static bool plain_has(const json_t *list, const char *item)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
        if (streq(json_string_value(v), item))
            return true;
    return false;
}

static bool plain_has_path(const json_t *list, const char *path)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v) {
        _cleanup_free_ char *text = xstrdup(json_string_value(v));
        size_t len = strlen(text);
        if (streq(text, path))
            return true;
        if (len && text[len - 1] == '*') {
            text[len - 1] = '\0';
            if (str_after(path, text))
                return true;
        }
    }
    return false;
}

static bool plain_allows(const json_t *rule, const struct action *a)
{
    const json_t *verbs = jget(rule, "verbs"), *groups = jget(rule, "apiGroups"), *resources = jget(rule, "resources");
    const json_t *names = jget(rule, "resourceNames");
    _cleanup_free_ char *combined = xasprintf("%s%s%s", a->resource, *a->subresource ? "/" : "", a->subresource);
    _cleanup_free_ char *any = xasprintf("*/%s", a->subresource);
    if (!plain_has(verbs, "*") && !plain_has(verbs, a->verb))
        return false;
    if (!a->is_resource)
        return plain_has_path(jget(rule, "nonResourceURLs"), a->path);
    return (plain_has(groups, "*") || plain_has(groups, a->group)) &&
           (plain_has(resources, "*") || plain_has(resources, combined) ||
            (*a->subresource && plain_has(resources, any))) &&
           (json_array_size(names) == 0 || plain_has(names, a->name));
}

/* --- random rules and questions over a few words, so that they meet --- */

static const char *const verbs[] = {"get", "list", "*", "impersonate"}, *const groups[] = {"", "apps", "*"};
static const char *const resources[] = {"pods", "pods/log", "*/log", "*", "po", "*/scale"};
static const char *const plurals[] = {"pods", "po", "*", "deployments"}, *const subs[] = {"", "log", "scale", "og"};
static const char *const names[] = {"a", "b"}, *const paths[] = {"/api", "/api/*", "*", "/", "/apis/x", "/a*"};

static uint32_t seed = 1;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
}

#define PICK(list) (list[dice(ARRAY_LEN(list))])

static json_t *some(const char *const *from, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = dice(3); i > 0; i--)
        json_array_append_new(list, json_string(from[dice(n)]));
    return list;
}

static json_t *random_rule(void)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "verbs", some(verbs, ARRAY_LEN(verbs)), "apiGroups",
                     some(groups, ARRAY_LEN(groups)), "resources", some(resources, ARRAY_LEN(resources)),
                     "resourceNames", some(names, ARRAY_LEN(names)), "nonResourceURLs", some(paths, ARRAY_LEN(paths)));
}

static struct action random_action(void)
{
    return (struct action){.verb = PICK(verbs),
                           .is_resource = dice(4) != 0,
                           .group = PICK(groups),
                           .resource = PICK(plurals),
                           .subresource = PICK(subs),
                           .ns = "",
                           .name = dice(2) ? PICK(names) : "",
                           .fields = "",
                           .path = PICK(paths)};
}

TEST(rules_say_what_the_plain_evaluator_says)
{
    int allowed = 0;
    for (int i = 0; i < 50000; i++) {
        _cleanup_json_ json_t *rules = json_pack("[o]", random_rule());
        struct policy *p = policy_new(rules);
        const struct action a = random_action();
        bool want = plain_allows(json_array_get(rules, 0), &a);
        allowed += want;
        if (rule_allows(&p->rules[0], &a) != want) {
            _cleanup_free_ char *text = jprint(rules);
            T_FAIL("%s: %s %s/%s of %s, %s, %s: not %d", text, a.verb, a.resource, a.subresource, a.group, a.name,
                   a.path, want);
        }
        free(p);
    }
    T_TRUE(allowed > 500);
}

/* A rule covers every right that it is made of. */
static bool covered(void *arg, const struct action *right)
{
    if (!rule_allows(arg, right))
        T_FAIL("a rule does not allow its own %s of %s/%s %s", right->verb, right->resource, right->subresource,
               right->path);
    return true;
}

TEST(a_rule_covers_itself)
{
    for (int i = 0; i < 5000; i++) {
        _cleanup_json_ json_t *rules = json_pack("[o]", random_rule());
        struct policy *p = policy_new(rules);
        rule_each_right(&p->rules[0], covered, &p->rules[0]);
        free(p);
    }
}

static bool print(void *arg, const struct action *right)
{
    _cleanup_free_ char *verb = xasprintf("\"%s\"", right->verb);
    right_print(arg, right, verb);
    return true;
}

TEST(rights_are_told_as_upstream_tells_them)
{
    _cleanup_json_ json_t *rules =
        json_loads("[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"],\"resourceNames\":[\"a\"]},"
                   "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}, 7]",
                   0, NULL);
    struct policy *p = policy_new(rules);
    struct buf out = BUF_INIT(0);
    T_INT(p->n, 3);
    for (size_t i = 0; i < p->n; i++)
        rule_each_right(&p->rules[i], print, &out);
    T_STR(buf_str(&out), "{APIGroups:[\"\"], Resources:[\"pods/log\"], ResourceNames:[\"a\"], Verbs:[\"get\"]}"
                         "{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}");
    buf_done(&out);
    free(p);
}

int main(void)
{
    RUN(rules_say_what_the_plain_evaluator_says);
    RUN(a_rule_covers_itself);
    RUN(rights_are_told_as_upstream_tells_them);
    return DONE();
}
