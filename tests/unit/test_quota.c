/* kinds/quota.h and the rules of the kinds that limit namespaces. */
#include "kinds/quota.h"

#include <string.h>

#include "api/schema.h"
#include "base/str.h"
#include "json/json.h"
#include "doc.h"

static const char *usage(const char *resource, const struct kind *k, const json_t *obj)
{
    static char text[QUANTITY_TEXT_SIZE];
    struct quantity q = quota_usage(resource, k, obj);
    return quantity_format_text(&q, text);
}

TEST(pods_use_what_their_containers_say)
{
    _cleanup_json_ json_t *pod = t_doc(
        "{\"spec\": {\"containers\": [{\"name\": \"a\", \"resources\": {\"requests\": {\"cpu\": \"400m\", \"memory\": "
        "\"600Mi\"}, \"limits\": {\"cpu\": \"800m\"}}}, {\"name\": \"b\", \"resources\": {\"requests\": {\"cpu\": "
        "\"100m\"}}}], \"initContainers\": [{\"name\": \"i\", \"resources\": {\"requests\": {\"memory\": "
        "\"1Gi\"}}}]}}");
    T_STR(usage("cpu", &kind_pod, pod), "500m");
    T_STR(usage("requests.cpu", &kind_pod, pod), "500m");
    T_STR(usage("limits.cpu", &kind_pod, pod), "800m");
    T_STR(usage("requests.memory", &kind_pod, pod), "1Gi");
    T_STR(usage("limits.memory", &kind_pod, pod), "0");
    T_STR(usage("pods", &kind_pod, pod), "1");
    T_STR(usage("count/pods", &kind_pod, pod), "1");
    T_STR(usage("services", &kind_pod, pod), "0");
    jset_str(pod, "status.phase", "Succeeded");
    T_STR(usage("pods", &kind_pod, pod), "0");
    T_STR(usage("cpu", &kind_pod, pod), "0");
    T_STR(usage("count/pods", &kind_pod, pod), "1");
}

TEST(services_use_ports_and_balancers)
{
    _cleanup_json_ json_t *s = t_doc("{\"spec\": {\"type\": \"LoadBalancer\", \"ports\": [{}, {}]}}");
    T_STR(usage("services", &kind_service, s), "1");
    T_STR(usage("services.loadbalancers", &kind_service, s), "1");
    T_STR(usage("services.nodeports", &kind_service, s), "2");
    jset_str(s, "spec.type", "ClusterIP");
    T_STR(usage("services.loadbalancers", &kind_service, s), "0");
    T_STR(usage("services.nodeports", &kind_service, s), "0");
}

TEST(kinds_count_by_name_and_group)
{
    T_TRUE(quota_counts("count/deployments.apps", &kind_deployment));
    T_TRUE(!quota_counts("count/deployments", &kind_deployment));
    T_TRUE(quota_counts("secrets", &kind_secret) && quota_counts("count/secrets", &kind_secret));
    T_TRUE(!quota_counts("deployments", &kind_deployment));
    T_TRUE(quota_counts("requests.nvidia.com/gpu", &kind_pod));
}

TEST(scopes_choose_pods)
{
    _cleanup_json_ json_t *quota = t_doc("{\"spec\": {\"scopes\": [\"BestEffort\", \"NotTerminating\"]}}");
    _cleanup_json_ json_t *pod = t_doc("{\"spec\": {\"containers\": [{\"name\": \"a\"}]}}");
    _cleanup_json_ json_t *classes =
        t_doc("{\"spec\": {\"scopeSelector\": {\"matchExpressions\": [{\"scopeName\": \"PriorityClass\", \"operator\": "
              "\"In\", \"values\": [\"high\"]}]}}}");
    T_TRUE(quota_covers(quota, &kind_pod, pod) && !quota_covers(quota, &kind_secret, pod));
    T_TRUE(!quota_covers(classes, &kind_pod, pod));
    jset_str(pod, "spec.priorityClassName", "high");
    T_TRUE(quota_covers(classes, &kind_pod, pod));
    jset_int(pod, "spec.activeDeadlineSeconds", 5);
    T_TRUE(!quota_covers(quota, &kind_pod, pod));
}

TEST(silent_containers_are_named)
{
    _cleanup_json_ json_t *quota = t_doc("{\"spec\": {\"hard\": {\"limits.cpu\": \"1\", \"requests.memory\": \"1Gi\", "
                                         "\"pods\": \"4\"}}}");
    _cleanup_json_ json_t *pod = t_doc("{\"spec\": {\"containers\": [{\"name\": \"a\"}, {\"name\": \"b\", "
                                       "\"resources\": {\"requests\": {\"memory\": \"1\"}}}]}}");
    _cleanup_free_ char *text = quota_unstated(quota, pod);
    T_STR(text, "limits.cpu for: a,b; requests.memory for: a");
}

static const char *broken(const struct kind *k, const char *text, const char *old_text)
{
    static char message[600];
    _cleanup_json_ json_t *doc = t_doc(text), *old = old_text ? t_doc(old_text) : NULL;
    struct status_causes causes = {0};
    schema_default(k, doc);
    schema_validate(k, doc, old, &causes);
    const json_t *first = json_array_get(causes.list, 0);
    snprintf(message, sizeof(message), "%s: %s", jstr_or(first, "field", ""), jstr_or(first, "message", ""));
    causes_done(&causes);
    return message;
}

#define META "\"metadata\": {\"name\": \"x\", \"namespace\": \"n\"}"

TEST(limits_must_be_in_order)
{
    T_STR(broken(&kind_limitrange,
                 "{" META ", \"spec\": {\"limits\": [{\"type\": \"Container\", \"max\": {\"cpu\": \"1\"}, \"min\": "
                 "{\"cpu\": \"2\"}, \"default\": {\"cpu\": \"1\"}, \"defaultRequest\": {\"cpu\": \"1\"}}]}}",
                 NULL),
          "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1");
    T_STR(broken(&kind_limitrange,
                 "{" META ", \"spec\": {\"limits\": [{\"type\": \"Pod\", \"default\": {\"cpu\": \"1\"}}]}}", NULL),
          "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'");
    T_STR(broken(&kind_limitrange, "{" META ", \"spec\": {\"limits\": [{\"type\": \"Pod\"}, {\"type\": \"Pod\"}]}}",
                 NULL),
          "spec.limits[1].type: Duplicate value: \"Pod\"");
}

TEST(limits_inherit)
{
    _cleanup_json_ json_t *doc =
        t_doc("{\"spec\": {\"limits\": [{\"type\": \"Container\", \"max\": {\"cpu\": \"800m\"}, \"min\": {\"cpu\": "
              "\"200m\", \"memory\": \"1Mi\"}}]}}");
    schema_default(&kind_limitrange, doc);
    const json_t *item = json_array_get(jget(doc, "spec.limits"), 0);
    T_JSON(jget(item, "default"), "{\"cpu\": \"800m\"}");
    T_JSON(jget(item, "defaultRequest"), "{\"cpu\": \"800m\", \"memory\": \"1Mi\"}");
}

TEST(quotas_know_their_resources)
{
    T_STR(broken(&kind_resourcequota, "{" META ", \"spec\": {\"hard\": {\"bananas\": \"1\"}}}", NULL),
          "spec.hard[bananas]: Invalid value: \"bananas\": must be a standard resource for quotas");
    T_STR(broken(&kind_resourcequota, "{" META ", \"spec\": {\"hard\": {\"pods\": \"1500m\"}}}", NULL),
          "spec.hard[pods]: Invalid value: \"1500m\": must be an integer");
    T_STR(broken(&kind_resourcequota,
                 "{" META ", \"spec\": {\"hard\": {\"cpu\": \"1\"}, \"scopes\": [\"BestEffort\"]}}", NULL),
          "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource");
    T_STR(broken(&kind_resourcequota, "{" META ", \"spec\": {\"hard\": {\"count/jobs.batch\": \"1\"}}}", NULL), ": ");
}

TEST(priorities_stay)
{
    T_STR(broken(&kind_priorityclass, "{\"metadata\": {\"name\": \"x\"}, \"value\": 2}",
                 "{\"metadata\": {\"name\": \"x\"}, \"value\": 1, \"preemptionPolicy\": \"PreemptLowerPriority\"}"),
          "value: Forbidden: may not be changed in an update.");
    T_STR(broken(&kind_priorityclass, "{\"metadata\": {\"name\": \"x\"}, \"value\": 1000000001}", NULL),
          "value: Forbidden: maximum allowed value of a user defined priority is 1000000000");
    T_STR(broken(&kind_priorityclass, "{\"metadata\": {\"name\": \"system-x\"}, \"value\": 1}", NULL),
          "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. "
          "error: system-x is not a known system priority class");
}

int main(void)
{
    RUN(pods_use_what_their_containers_say);
    RUN(services_use_ports_and_balancers);
    RUN(kinds_count_by_name_and_group);
    RUN(scopes_choose_pods);
    RUN(silent_containers_are_named);
    RUN(limits_must_be_in_order);
    RUN(limits_inherit);
    RUN(quotas_know_their_resources);
    RUN(priorities_stay);
    return DONE();
}
