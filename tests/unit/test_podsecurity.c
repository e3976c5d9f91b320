/* server/podsecurity.h: the levels, in upstream's words. */
#include "server/podsecurity.h"

#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "t.h"

static const char *said(enum pod_security_level level, const char *text)
{
    static char *last;
    struct err err;
    free(last);
    _cleanup_json_ json_t *spec = jparse(text, strlen(text), &err);
    T_TRUE(spec);
    last = pod_security_violations(level, spec);
    return last ? last : "nothing";
}

#define SPEC(context) "{\"containers\":[{\"name\":\"a\",\"securityContext\":{" context "}}]}"
#define GOOD                                                                                                           \
    "\"allowPrivilegeEscalation\":false,\"runAsNonRoot\":true,\"capabilities\":{\"drop\":[\"ALL\"]},"                  \
    "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}"

TEST(a_plain_pod)
{
    T_STR(said(POD_SECURITY_PRIVILEGED, SPEC("\"privileged\":true")), "nothing");
    T_STR(said(POD_SECURITY_BASELINE, SPEC("")), "nothing");
    T_STR(
        said(POD_SECURITY_RESTRICTED, SPEC("")),
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false), "
        "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]), "
        "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true), "
        "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
        "\"Localhost\")");
    T_STR(said(POD_SECURITY_RESTRICTED, SPEC(GOOD)), "nothing");
}

TEST(what_baseline_forbids)
{
    T_STR(said(POD_SECURITY_BASELINE, SPEC("\"privileged\":true")),
          "privileged (container \"a\" must not set securityContext.privileged=true)");
    T_STR(said(POD_SECURITY_BASELINE, SPEC("\"capabilities\":{\"add\":[\"NET_ADMIN\",\"CHOWN\"]}")),
          "non-default capabilities (container \"a\" must not include \"NET_ADMIN\" in "
          "securityContext.capabilities.add)");
    T_STR(said(POD_SECURITY_BASELINE,
               "{\"hostNetwork\":true,\"hostPID\":true,\"volumes\":[{\"name\":\"v\",\"hostPath\":{"
               "}}],\"containers\":[{\"name\":\"a\",\"ports\":[{\"hostPort\":80}]},{\"name\":\"b\","
               "\"ports\":[{\"hostPort\":81}]}]}"),
          "host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volume \"v\"), hostPort (containers "
          "\"a\", \"b\" use hostPorts 80, 81)");
    T_STR(said(POD_SECURITY_BASELINE,
               "{\"securityContext\":{\"seccompProfile\":{\"type\":\"Unconfined\"},\"sysctls\":[{"
               "\"name\":\"kernel.msgmax\"}]},\"containers\":[]}"),
          "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\"), forbidden sysctls "
          "(\"kernel.msgmax\")");
    T_STR(said(POD_SECURITY_BASELINE, SPEC("\"seLinuxOptions\":{\"type\":\"x_t\",\"user\":\"u\"}")),
          "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \"x_t\"; user may not be "
          "set)");
}

TEST(what_restricted_forbids)
{
    T_STR(said(POD_SECURITY_RESTRICTED, "{\"volumes\":[{\"name\":\"v\",\"hostPath\":{}}],\"securityContext\":{"
                                        "\"runAsNonRoot\":false,\"runAsUser\":0}"
                                        ",\"containers\":[{\"name\":\"a\",\"securityContext\":{" GOOD "}}]}"),
          "restricted volume types (volume \"v\" uses restricted volume type \"hostPath\"), runAsNonRoot != true (pod "
          "must not set securityContext.runAsNonRoot=false), runAsUser=0 (pod must not set runAsUser=0)");
    T_TRUE(pod_security_level("baseline") == POD_SECURITY_BASELINE);
    T_TRUE(pod_security_level("typo") == POD_SECURITY_RESTRICTED);
}

int main(void)
{
    RUN(a_plain_pod);
    RUN(what_baseline_forbids);
    RUN(what_restricted_forbids);
    return DONE();
}
