/* What a pod should be, in a Pod and in the templates of what makes pods. */
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field host_alias_fields[] = {
    {"ip", F_STR, REQ, .check = check_ip, .doc = "Address of the line."},
    {"hostnames", F_LIST, OPT, .sub = host_name_item, .doc = "Names of the line."},
    {0},
};

static const struct field pod_dns_config_option_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the option."},
    {"value", F_STR, .doc = "Value, if it has one."},
    {0},
};

static const struct field pod_dns_config_fields[] = {
    {"nameservers", F_LIST, OPT, .sub = ip_item, .max_len = 3, .doc = "Name servers, after those of dnsPolicy."},
    {"searches", F_LIST, OPT, STRINGS, .max_len = 32, .doc = "Search domains, after those of dnsPolicy."},
    {"options", F_LIST, OPT, LIST_OF(pod_dns_config_option_fields),
     .doc = "Options; they replace those of dnsPolicy of the same name."},
    {0},
};

static const struct field pod_readiness_gate_fields[] = {
    {"conditionType", F_STR, REQ, .check = check_qualified_name, .doc = "Type of the condition."},
    {0},
};

static const struct field pod_os_fields[] = {
    {"name", F_STR, REQ, .oneof = ONE_OF("linux", "windows"), .doc = "linux or windows."},
    {0},
};

static const struct field pod_scheduling_gate_fields[] = {
    {"name", F_STR, REQ, .check = check_qualified_name, .doc = "Name of the gate."},
    {0},
};

static const struct field pod_resource_claim_fields[] = {
    {"name", F_STR, REQ, .check = check_dns_label, .doc = "Name by which containers refer to it."},
    {"resourceClaimName", F_STR, .doc = "ResourceClaim to be used."},
    {"resourceClaimTemplateName", F_STR, .doc = "Template from which a claim is made for the pod."},
    {0},
};

const struct field pod_spec_fields[] = {
    {"volumes", F_LIST, OPT | RETAIN, LIST_OF(volume_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Volumes that the containers can mount."},
    {"initContainers", F_LIST, OPT, LIST_OF(container_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Containers that run one after the other before the others start; one with restartPolicy Always keeps "
            "running beside them."},
    {"containers", F_LIST, REQ | NONEMPTY, LIST_OF(container_fields), .merge_key = "name", .list_keys = "name",
     .doc = "The containers of the pod; they share its network."},
    {"ephemeralContainers", F_LIST, OPT, LIST_OF(ephemeral_container_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Containers added to a running pod for debugging."},
    {"restartPolicy", F_STR, OPT, .dflt = "\"Always\"", .oneof = ONE_OF("Always", "OnFailure", "Never"),
     .doc = "When ended containers are started again: Always, OnFailure or Never."},
    {"terminationGracePeriodSeconds", F_INT64, .dflt = "30", .max = NO_MAX,
     .doc = "Seconds between the stop signal and the kill signal."},
    {"activeDeadlineSeconds", F_INT64, .min = 1, .max = INT32_MAX,
     .doc = "Seconds after which the pod is ended as failed."},
    {"dnsPolicy", F_STR, OPT, .dflt = "\"ClusterFirst\"",
     .oneof = ONE_OF("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
     .doc = "Where resolv.conf comes from: ClusterFirst, ClusterFirstWithHostNet, Default (the node's) or None "
            "(dnsConfig only)."},
    {"nodeSelector", F_MAP, OPT | ATOMIC, LABELS, .doc = "Labels that a node must have to run the pod."},
    {"serviceAccountName", F_STR, OPT, .check = check_dns_subdomain, .doc = "ServiceAccount as which the pod acts."},
    {"serviceAccount", F_STR, OPT, .doc = "Older name of serviceAccountName."},
    {"automountServiceAccountToken", F_BOOL, .doc = "Whether the account's token is mounted into the containers."},
    {"nodeName", F_STR, OPT, .check = check_dns_subdomain, .doc = "Node that runs the pod; the scheduler sets it."},
    {"hostNetwork", F_BOOL, OPT, .doc = "Uses the node's network instead of one of its own."},
    {"hostPID", F_BOOL, OPT, .doc = "Sees the node's processes."},
    {"hostIPC", F_BOOL, OPT, .doc = "Shares the node's IPC."},
    {"shareProcessNamespace", F_BOOL, .doc = "The containers see each other's processes."},
    {"securityContext", F_OBJECT, .sub = pod_security_context_fields, .dflt = "{}",
     .doc = "Security settings that hold for all containers unless they say otherwise."},
    {"imagePullSecrets", F_LIST, OPT, LIST_OF(local_reference_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Secrets with credentials for the registries of the images."},
    {"hostname", F_STR, OPT, .check = check_dns_label, .doc = "Host name in the pod; its own name if missing."},
    {"subdomain", F_STR, OPT, .check = check_dns_label,
     .doc = "Makes the full host name HOSTNAME.SUBDOMAIN.NAMESPACE.svc.ZONE."},
    {"affinity", F_OBJECT, .sub = affinity_fields, .doc = "Preferences and conditions for the choice of the node."},
    {"schedulerName", F_STR, OPT, .dflt = "\"default-scheduler\"", .check = check_qualified_name,
     .doc = "Scheduler that places the pod."},
    {"tolerations", F_LIST, OPT, LIST_OF(toleration_fields), .doc = "Taints the pod puts up with."},
    {"hostAliases", F_LIST, OPT, LIST_OF(host_alias_fields), .merge_key = "ip", .list_keys = "ip",
     .doc = "Further lines for the containers' /etc/hosts."},
    {"priorityClassName", F_STR, OPT, .check = check_dns_subdomain,
     .doc = "PriorityClass that gives the pod's priority."},
    {"priority", F_INT, .doc = "Priority as a number; comes from the class."},
    {"dnsConfig", F_OBJECT, .sub = pod_dns_config_fields, .doc = "Additions to resolv.conf."},
    {"readinessGates", F_LIST, OPT, LIST_OF(pod_readiness_gate_fields),
     .doc = "Conditions that must be true as well before the pod counts as ready."},
    {"runtimeClassName", F_STR, .check = check_dns_subdomain,
     .doc = "RuntimeClass that chooses the container runtime."},
    {"enableServiceLinks", F_BOOL, .doc = "Whether Services of the namespace appear as environment variables."},
    {"preemptionPolicy", F_STR, .oneof = ONE_OF("Never", "PreemptLowerPriority"),
     .doc = "Whether the pod may drive out pods of lower priority."},
    {"overhead", F_MAP, OPT, QUANTITIES,
     .doc = "Resources that running the pod itself costs; comes from the RuntimeClass."},
    {"topologySpreadConstraints", F_LIST, OPT | UNIQUE, LIST_OF(topology_spread_constraint_fields),
     .merge_key = "topologyKey", .list_keys = "topologyKey,whenUnsatisfiable",
     .doc = "How pods of one kind are spread over zones, nodes and the like."},
    {"setHostnameAsFQDN", F_BOOL, .doc = "The full name becomes the kernel's host name."},
    {"os", F_OBJECT, .sub = pod_os_fields, .doc = "Operating system the pod is made for."},
    {"hostUsers", F_BOOL, .doc = "False gives the pod a user namespace of its own."},
    {"schedulingGates", F_LIST, OPT | UNIQUE, LIST_OF(pod_scheduling_gate_fields), .merge_key = "name",
     .list_keys = "name", .doc = "Names that must be taken away before the scheduler looks at the pod."},
    {"resourceClaims", F_LIST, OPT | RETAIN, LIST_OF(pod_resource_claim_fields), .merge_key = "name",
     .list_keys = "name", .doc = "Claims that the containers can name in their resources."},
    {"resources", F_OBJECT, .sub = resource_requirements_fields, .doc = "Resources of the pod as a whole."},
    {"hostnameOverride", F_STR, .check = check_dns_subdomain, .max_len = 64,
     .doc = "Host name in the pod, unlike hostname free of DNS meaning."},
    {0},
};

const struct field pod_template_spec_fields[] = {
    {"metadata", F_OBJECT, .sub = meta_fields, .dflt = "{}", .doc = "Labels and annotations of the pods."},
    {"spec", F_OBJECT, .sub = pod_spec_fields, .dflt = "{}", .doc = "What the pods run."},
    {0},
};
