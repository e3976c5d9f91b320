/* node/admit: whom a node refuses, and in which words. */
#include "node/admit.h"
#include "node/eviction.h"
#include "t.h"

/* NULL: taken. Of the last question. */
static char said[256];
static const char *ask(const char *spec, struct admit_node node)
{
    json_t *pod = json_pack("{so}", "spec", json_loads(spec, 0, NULL));
    struct refusal why;
    bool taken = admit_pod(pod, &node, &why);
    if (!taken)
        snprintf(said, sizeof(said), "%s: %s", why.reason, why.message);
    free(why.message);
    json_decref(pod);
    return taken ? NULL : said;
}

#define MEMORY ((struct admit_node){.pressures = 1 << PRESSURE_MEMORY})
#define BOTH ((struct admit_node){.pressures = 1 << PRESSURE_MEMORY | 1 << PRESSURE_DISK})
#define FREE ((struct admit_node){0})

TEST(memory_is_short_for_those_who_asked_for_none)
{
    const char *best_effort = "{\"containers\":[{\"name\":\"c\"}]}";
    const char *burstable = "{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"memory\":\"1Mi\"}}}]}";
    const char *critical = "{\"containers\":[{\"name\":\"c\"}],\"priority\":2000000000}";
    const char *tolerant = "{\"containers\":[{\"name\":\"c\"}],\"tolerations\":[{\"operator\":\"Exists\"}]}";
    const char *other = "{\"containers\":[{\"name\":\"c\"}],\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}";
    T_STR(ask(best_effort, FREE), NULL);
    T_STR(ask(best_effort, MEMORY), "Evicted: The node had condition: [MemoryPressure]. ");
    T_STR(ask(other, MEMORY), "Evicted: The node had condition: [MemoryPressure]. ");
    T_STR(ask(burstable, MEMORY), NULL);
    T_STR(ask(tolerant, MEMORY), NULL);
    T_STR(ask(burstable, BOTH), "Evicted: The node had condition: [MemoryPressure DiskPressure]. ");
    T_STR(ask(tolerant, BOTH), "Evicted: The node had condition: [MemoryPressure DiskPressure]. ");
    T_STR(ask(critical, BOTH), NULL);
}

TEST(nobody_comes_when_the_node_goes)
{
    T_STR(ask("{\"priority\":2000000000}", (struct admit_node){.shutting_down = true}),
          "NodeShutdown: Pod was rejected as the node is shutting down.");
}

TEST(sysctls_are_those_that_hurt_nobody)
{
    T_STR(ask("{\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.shm_rmid_forced\",\"value\":\"1\"}]}}", FREE),
          NULL);
    T_STR(ask("{\"securityContext\":{\"sysctls\":[{\"name\":\"net/ipv4/tcp_syncookies\"}]}}", FREE), NULL);
    T_STR(ask("{\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.msgmax\",\"value\":\"1\"}]}}", FREE),
          "SysctlForbidden: forbidden sysctl: \"kernel.msgmax\" not allowlisted");
    T_STR(
        ask("{\"hostNetwork\":true,\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.tcp_syncookies\"}]}}", FREE),
        "SysctlForbidden: forbidden sysctl: \"net.ipv4.tcp_syncookies\" not allowed with host Net enabled");
}

TEST(apparmor_needs_a_kernel_that_has_it)
{
    const char *spec = "{\"containers\":[{\"securityContext\":{\"appArmorProfile\":{\"type\":\"RuntimeDefault\"}}}]}";
    T_STR(ask(spec, FREE), "AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host");
    T_STR(ask(spec, (struct admit_node){.apparmor = true}), NULL);
    T_STR(ask("{\"securityContext\":{\"appArmorProfile\":{\"type\":\"Unconfined\"}}}", FREE), NULL);
}

int main(void)
{
    RUN(memory_is_short_for_those_who_asked_for_none);
    RUN(nobody_comes_when_the_node_goes);
    RUN(sysctls_are_those_that_hurt_nobody);
    RUN(apparmor_needs_a_kernel_that_has_it);
    return DONE();
}
