/* server: the default roles are mended as upstream does. */
#include "base/str.h"
#include "json/json.h"
#include "server/rbac_bootstrap.h"
#include "server/rbac_defaults.h"
#include "t.h"

#define AUTOUPDATE(value) "\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":\"" value "\"}"
#define RULE(verb) "{\"verbs\":[\"" verb "\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}"
#define ROLE(meta, rules) "{\"metadata\":{\"labels\":{\"l\":\"1\"}," meta "},\"rules\":[" rules "]}"

static void check(const char *stored_text, const char *wanted_text, const char *mended_text)
{
    _cleanup_json_ json_t *stored = json_loads(stored_text, 0, NULL), *wanted = json_loads(wanted_text, 0, NULL);
    _cleanup_json_ json_t *mended = rbac_mended(stored, wanted);
    if (!mended_text)
        T_TRUE(mended == NULL);
    else
        T_JSON(mended, mended_text);
}

TEST(what_is_missing_comes_back_and_what_was_added_stays)
{
    const char *wanted = ROLE(AUTOUPDATE("true"), RULE("get"));
    check(wanted, wanted, NULL);
    check(ROLE(AUTOUPDATE("true"), RULE("list") "," RULE("get")), wanted, NULL);
    check(ROLE(AUTOUPDATE("true"), RULE("list")), wanted, ROLE(AUTOUPDATE("true"), RULE("list") "," RULE("get")));
    check(ROLE(AUTOUPDATE("false"), ""), wanted, NULL);
    check("{\"metadata\":{\"labels\":{}},\"rules\":null}", wanted, wanted);
}

TEST(an_aggregated_role_keeps_what_was_collected)
{
    const char *wanted = "{\"metadata\":{\"labels\":{}," AUTOUPDATE(
        "true") "},\"rules\":[],\"aggregationRule\":{"
                "\"clusterRoleSelectors\":[{\"matchLabels\":{\"a\":\"true\"}}]}}";
    check("{\"metadata\":{\"labels\":{}," AUTOUPDATE("true") "},\"rules\":[" RULE(
              "get") "],\"aggregationRule\":{"
                     "\"clusterRoleSelectors\":[{\"matchLabels\":{\"a\":\"true\"}}]}}",
          wanted, NULL);
}

/* Rows that belong together stand together, and bindings lead to roles that exist. */
TEST(the_tables_agree)
{
    for (size_t i = 0; i < n_default_rules; i++)
        for (size_t j = i + 2; j < n_default_rules; j++)
            if (streq(default_rules[i].role, default_rules[j].role) &&
                !streq(default_rules[j - 1].role, default_rules[j].role))
                T_FAIL("%s is torn apart", default_rules[i].role);
    for (size_t i = 0; i < n_default_bindings; i++) {
        const struct default_binding *b = &default_bindings[i];
        const char *role = b->role ? b->role : b->name;
        bool found = false;
        for (size_t j = 0; j < n_default_rules && !found; j++)
            found = streq(default_rules[j].role, role) && streq_or_null(default_rules[j].ns, b->ns);
        if (!found)
            T_FAIL("%s leads nowhere", b->name);
    }
}

int main(void)
{
    RUN(what_is_missing_comes_back_and_what_was_added_stays);
    RUN(an_aggregated_role_keeps_what_was_collected);
    RUN(the_tables_agree);
    return DONE();
}
