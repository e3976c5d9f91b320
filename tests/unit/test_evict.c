/* server: evictions and the PodDisruptionBudgets that refuse them. */
#include "server_world.h"

#define BUDGETS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"

static void make_pod(const char *name, const char *app)
{
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"%s\"}},\"spec\":{"
                                          "\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
                                          name, app);
    T_INT(post(PODS, body), 201);
    _cleanup_free_ char *status = xasprintf(PODS "/%s/status", name);
    T_INT(
        merge(status, "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"),
        200);
}

static void set_budget(const char *name, const char *status)
{
    _cleanup_free_ char *target = xasprintf(BUDGETS "/%s/status", name);
    _cleanup_free_ char *patch = xasprintf("{\"status\":%s}", status);
    T_INT(merge(target, patch), 200);
}

static int evict(const char *name, const char *version, const char *options)
{
    _cleanup_free_ char *target = xasprintf(PODS "/%s/eviction", name);
    _cleanup_free_ char *body =
        xasprintf("{\"apiVersion\":\"policy/%s\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\"}%s}", version,
                  name, options);
    return post(target, body);
}

TEST(a_budget_refuses_and_grants)
{
    make_pod("a", "web");
    make_pod("b", "web");
    T_INT(post(BUDGETS, "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{"
                        "\"app\":\"web\"}}}}"),
          201);
    T_INT(evict("a", "v1", ""), 429);
    T_STR(text("message"), "Cannot evict pod as it would violate the pod's disruption budget.");
    T_INT(jint(answer.doc, "details.retryAfterSeconds", 0), 10);
    T_JSON(jget(answer.doc, "details.causes"),
           "[{\"reason\":\"DisruptionBudget\",\"message\":\"The disruption budget web is still being processed by the "
           "server.\"}]");
    set_budget("web", "{\"observedGeneration\":1,\"disruptionsAllowed\":0,\"desiredHealthy\":2,\"currentHealthy\":2}");
    T_INT(evict("a", "v1beta1", ""), 429);
    T_STR(jstr(json_array_get(jget(answer.doc, "details.causes"), 0), "message"),
          "The disruption budget web needs 2 healthy pods and has 2 currently");
    set_budget("web", "{\"disruptionsAllowed\":1,\"desiredHealthy\":1}");
    T_INT(evict("a", "v1", ",\"deleteOptions\":{\"dryRun\":[\"All\"]}"), 201);
    T_INT(evict("a", "v1beta1", ",\"deleteOptions\":{\"gracePeriodSeconds\":30}"), 201);
    T_INT(evict("b", "v1", ""), 429);
    T_INT(get(BUDGETS "/web"), 200);
    T_INT(jint(answer.doc, "status.disruptionsAllowed", -1), 0);
    T_TRUE(jstr(answer.doc, "status.disruptedPods.a") != NULL);
    T_INT(get(PODS "/a"), 200);
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "DisruptionTarget"), "reason"),
          "EvictionByEvictionAPI");
    T_INT(evict("a", "v1", ""), 201); /* it goes already */
}

TEST(who_is_not_ready_may_go_by_policy)
{
    make_pod("sick", "sick");
    T_INT(merge(PODS "/sick/status", "{\"status\":{\"conditions\":[]}}"), 200);
    T_INT(post(BUDGETS, "{\"metadata\":{\"name\":\"sick\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{"
                        "\"app\":\"sick\"}}}}"),
          201);
    set_budget("sick", "{\"observedGeneration\":2,\"desiredHealthy\":1,\"currentHealthy\":0}");
    T_INT(evict("sick", "v1", ""), 429);
    T_INT(merge(BUDGETS "/sick", "{\"spec\":{\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\"}}"), 200);
    T_INT(evict("sick", "v1", ""), 201);
}

TEST(more_than_one_budget_is_too_many)
{
    T_INT(post(BUDGETS, "{\"metadata\":{\"name\":\"all\"},\"spec\":{\"maxUnavailable\":1,\"selector\":{}}}"), 201);
    T_INT(evict("b", "v1", ""), 500);
    T_STR(text("message"),
          "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    T_INT(get("/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets/all"), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "spec.selector.matchExpressions"), 0), "operator"), "DoesNotExist");
    T_INT(post("/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets",
               "{\"metadata\":{\"name\":\"none\"},\"spec\":{\"maxUnavailable\":1,\"selector\":{}}}"),
          201);
    T_JSON(jget(answer.doc, "spec.selector"), "{}");
    T_INT(get(BUDGETS "/none"), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "spec.selector.matchExpressions"), 0), "operator"), "Exists");
}

TEST(budgets_are_validated)
{
    T_INT(post(BUDGETS, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"maxUnavailable\":\"101%\",\"minAvailable\":-1,"
                        "\"unhealthyPodEvictionPolicy\":\"Never\"}}"),
          422);
    T_TRUE(strstr(text("message"), "minAvailable and maxUnavailable cannot be both set") != NULL);
    T_TRUE(strstr(text("message"), "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0") != NULL);
    T_TRUE(strstr(text("message"), "spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%") !=
           NULL);
    T_TRUE(strstr(text("message"), "supported values: \"AlwaysAllow\", \"IfHealthyBudget\"") != NULL);
    T_INT(ask_as(world.admin, "PATCH", BUDGETS "/web", NULL, PATCH_STRATEGIC,
                 "{\"spec\":{\"selector\":{\"matchLabels\":{\"tier\":\"x\"}}}}"),
          200);
    T_JSON(jget(answer.doc, "spec.selector"), "{\"matchLabels\":{\"tier\":\"x\"}}");
    T_INT(ask_as(world.admin, "POST", PODS "/b/eviction", NULL, "application/json", "{\"metadata\":{\"name\":\"z\"}}"),
          400);
    T_STR(text("message"), "name in URL does not match name in Eviction object");
}

TEST(the_world_ends)
{
    end_world();
}

int main(void)
{
    make_world();
    RUN(a_budget_refuses_and_grants);
    RUN(who_is_not_ready_may_go_by_policy);
    RUN(more_than_one_budget_is_too_many);
    RUN(budgets_are_validated);
    RUN(the_world_ends);
    return DONE();
}
